import { posix } from 'node:path'
import type { Container, Part } from '../../container/part.ts'
import { attachRest, closeRoot } from '../../container/parts/root.ts'
import { cover, covered } from '../../container/rootfs/cover.ts'
import { isInDev, makeNodes } from '../../container/rootfs/devices.ts'
import { mountNew, setSysctls } from '../../container/rootfs/kernel-trees.ts'
import { borrow } from '../../container/rootfs/lend.ts'
import type { Lent } from '../../container/rootfs/mount-copy.ts'
import { inKernelTree, isDirectory, isVolume } from '../../container/rootfs/mount-kinds.ts'
import { AT_FDCWD } from '../../kernel/syscalls/constants.ts'
import type { Tape } from '../../kernel/tape/tape.ts'

/** The mounts that lab 3 teaches. */
const TAUGHT = ['/proc', '/sys', '/dev', '/dev/pts']

/**
 * What a spec asks of a root and lab 3 does not teach: one part before the learner's, while the paths of the host can still be reached,
 * the other one after it, when every path ends inside the container.
 */
export function restOfRoot(): [before: Part, after: Part] {
  const lent: Lent = new Map()
  return [
    {
      name: 'root',
      inside(tape, container, gate) {
        setSysctls(tape, container.spec, path => path) // before the learner's part makes /proc/sys read-only
        for (const [key, copy] of borrow(tape, container, gate)) lent.set(key, copy)
      },
    },
    {
      name: 'root',
      inside(tape, container) {
        const { spec } = container
        mountInTrees(tape, container, lent)
        makeNodes(tape, (spec.linux.devices ?? []).filter(isInDev))
        cover(tape, { masked: [], readonly: covered(spec).kernel.readonly }, lent, isDirectory)
        attachRest(tape, container, lent)
        if (spec.root.readonly) closeRoot(tape, container)
      },
    },
  ]
}

/** The further file systems in /dev and /sys: /dev/shm, /dev/mqueue, /sys/fs/cgroup. The learner's part has just made these trees, so no image can interfere. */
function mountInTrees(tape: Tape, container: Container, lent: Lent): void {
  const { spec } = container
  for (const mount of spec.mounts) {
    const { destination } = mount
    if (isVolume(mount) || TAUGHT.includes(destination) || !inKernelTree(spec, destination)) continue
    for (const folder of foldersTo(destination)) tape.allow('EEXIST').mkdirat(AT_FDCWD, folder, 0o755)
    mountNew(tape, mount, destination, { container, lent })
  }
}

/** The directories to make for a path: those below the tree that it is in. */
function foldersTo(path: string): string[] {
  const above = posix.dirname(path)
  return above === '/' ? [] : [...foldersTo(above), path]
}
