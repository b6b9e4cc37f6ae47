import { certain } from '../../common/certain.ts'
import { AT_FDCWD } from '../syscalls/constants.ts'
import type { Args } from '../syscalls/syscalls.ts'
import { visit } from '../tape/visit.ts'

type How = Args<'openat2'>[2]
const SIZE = 24 // bytes of a struct open_how

/**
 * Opens a path in the mount namespace of a process, from the root of that namespace: /proc/<pid>/root is the root of the
 * process, which it may have changed by chroot(2). The caller closes the descriptor. Throws the SyscallError.
 */
export async function openInside(pid: number, path: string, how: How): Promise<number> {
  const replayed = await visit(pid, ['user', 'mnt'], tape => void tape.openat2(AT_FDCWD, path, how, SIZE))
  return certain(replayed.find(({ call }) => call === 'openat2')?.result)
}
