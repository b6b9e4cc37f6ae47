import { certain } from '../../common/certain.ts'
import { closing } from '../../common/descriptor.ts'
import { namespaceInode } from '../process/procfs.ts'
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import type { Args } from '../syscalls/syscalls.ts'
import { visit } from '../tape/visit.ts'

type How = Args<'openat2'>[2]
const SIZE = 24 // bytes of a struct open_how

/**
 * Opens a path in the mount namespace of a process, from the root of that namespace: /proc/<pid>/root is the root of the
 * process, which it may have changed by chroot(2). A process in our own mount namespace has no other root than that: `how` has
 * RESOLVE_IN_ROOT. The caller closes the descriptor. Throws the SyscallError.
 */
export async function openInside(pid: number, path: string, how: How): Promise<number> {
  using root =
    namespaceInode(pid, 'mnt') === namespaceInode('self', 'mnt')
      ? closing(now.openat(AT_FDCWD, `/proc/${pid}/root`, O_PATH | O_DIRECTORY | O_CLOEXEC, 0))
      : undefined
  const from = root?.fd ?? AT_FDCWD
  const replayed = await visit(pid, ['user', 'mnt'], tape => void tape.openat2(from, path, how, SIZE))
  return certain(replayed.find(({ call }) => call === 'openat2')?.result)
}
