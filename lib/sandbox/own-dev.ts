import {
  AT_FDCWD,
  AT_RECURSIVE,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_NOEXEC,
  MS_NOSUID,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  S_IFREG,
} from '../kernel/syscalls/constants.ts'
import type { Later, Tape } from '../kernel/tape/tape.ts'
import { DEVICES, LINKS } from '../container/rootfs/devices.ts'

/**
 * Mounts a /dev with only the devices that every container has: no path leads to a disk, and in a user namespace no process can
 * make a device node. `hidden` is mounted below it, on a directory that this /dev covers, where no process can reach it.
 * /dev/shm stays the machine's, read-only if it was: a data folder may be in it.
 */
export function mountOwnDev(tape: Tape, hidden: Later): void {
  const kept = [...DEVICES.map(({ path }) => path), '/dev/shm'].map(path => {
    const flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE
    return [path, tape.open_tree(AT_FDCWD, path, flags)] as const
  })
  tape.mount('tmpfs', '/dev', 'tmpfs', MS_NOSUID | MS_NOEXEC, 'mode=755,size=64k')
  tape.mkdirat(AT_FDCWD, '/dev/hidden', 0o700)
  tape.move_mount(hidden, '', AT_FDCWD, '/dev/hidden', MOVE_MOUNT_F_EMPTY_PATH)
  tape.mount('tmpfs', '/dev', 'tmpfs', MS_NOSUID | MS_NOEXEC, 'mode=755,size=64k')
  for (const folder of ['pts', 'shm', 'mqueue']) tape.mkdirat(AT_FDCWD, `/dev/${folder}`, 0o755)
  for (const [path, mount] of kept) {
    if (path !== '/dev/shm') tape.mknodat(AT_FDCWD, path, S_IFREG | 0o666, 0)
    tape.move_mount(mount, '', AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH)
  }
  const terminals = 'newinstance,ptmxmode=0666,mode=0620'
  tape.mount('devpts', '/dev/pts', 'devpts', MS_NOSUID | MS_NOEXEC, terminals)
  for (const [link, target] of Object.entries(LINKS)) tape.symlinkat(target, AT_FDCWD, link)
}
