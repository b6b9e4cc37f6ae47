import {
  AT_FDCWD,
  MNT_DETACH,
  MOVE_MOUNT_F_EMPTY_PATH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  S_IFREG,
  type Part,
  type Tape,
} from 'minilab'

export function enterJail(tape: Tape, jail: string): void {
  tape.chdir(jail)
  tape.chroot('.')
}

export function breakOut(tape: Tape, second: string): void {
  tape.chroot(second)
  for (let i = 0; i < 32; i++) tape.chdir('..')
  tape.chroot('.')
}

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty']
const LINKS = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
  ptmx: 'pts/ptmx',
}
const SAFE = MS_NOSUID | MS_NODEV | MS_NOEXEC

export const root: Part = {
  name: 'root',
  inside(tape, { rootfs, spec }) {
    // a user namespace cannot make devices, so it attaches the host's: opened here, while their paths can be reached
    const devices = DEVICES.map(name =>
      tape.open_tree(AT_FDCWD, `/dev/${name}`, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),
    )
    tape.mount(rootfs, rootfs, null, MS_BIND | MS_REC, null)
    tape.chdir(rootfs)
    tape.pivot_root('.', '.')
    // a user namespace gets a new /proc only while the old one is still visible
    tape.mount('proc', '/proc', 'proc', SAFE, null)
    tape.mount('sysfs', '/sys', 'sysfs', SAFE | MS_RDONLY, null)
    tape.umount2('.', MNT_DETACH)
    tape.chdir('/')

    tape.mount('tmpfs', '/dev', 'tmpfs', MS_NOSUID, 'mode=755')
    for (const [i, name] of DEVICES.entries()) {
      tape.mknodat(AT_FDCWD, `/dev/${name}`, S_IFREG | 0o666, 0)
      tape.move_mount(devices[i]!, '', AT_FDCWD, `/dev/${name}`, MOVE_MOUNT_F_EMPTY_PATH)
    }
    tape.mkdirat(AT_FDCWD, '/dev/pts', 0o755)
    tape.mount('devpts', '/dev/pts', 'devpts', MS_NOSUID | MS_NOEXEC, 'newinstance,ptmxmode=0666,mode=0620')
    for (const [name, target] of Object.entries(LINKS)) tape.symlinkat(target, AT_FDCWD, `/dev/${name}`)

    for (const path of spec.linux.maskedPaths ?? []) cover(tape, path)
    tape.mount('/proc/sys', '/proc/sys', null, MS_BIND, null)
    tape.mount(null, '/proc/sys', null, MS_BIND | MS_REMOUNT | MS_RDONLY | SAFE, null)
  },
}

/** A file cannot mask a directory, nor a directory a file: the kernel refuses one of the two calls. */
function cover(tape: Tape, path: string): void {
  tape.attempt.mount('/dev/null', path, null, MS_BIND, null)
  tape.attempt.mount('tmpfs', path, 'tmpfs', MS_RDONLY, 'size=0k')
}
