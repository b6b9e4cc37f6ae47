import { statSync } from 'node:fs'
import { posix } from 'node:path'
import {
  AT_FDCWD,
  AT_RECURSIVE,
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
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFREG,
} from '../kernel/constants.ts'
import { mountOf } from '../kernel/mountinfo.ts'
import type { Later, Tape } from '../kernel/tape.ts'
import { lockedFlags, mountOptions } from './mount-options.ts'
import type { Container, Part } from './part.ts'
import { type DeviceSpec, has, type MountSpec, type Spec } from './spec.ts'

/** The devices that every container has: runtime-spec config-linux.md, "Default Devices". */
const DEVICES: DeviceSpec[] = [
  { path: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o666 },
  { path: '/dev/zero', type: 'c', major: 1, minor: 5, fileMode: 0o666 },
  { path: '/dev/full', type: 'c', major: 1, minor: 7, fileMode: 0o666 },
  { path: '/dev/random', type: 'c', major: 1, minor: 8, fileMode: 0o666 },
  { path: '/dev/urandom', type: 'c', major: 1, minor: 9, fileMode: 0o666 },
  { path: '/dev/tty', type: 'c', major: 5, minor: 0, fileMode: 0o666 },
]

const LINKS = {
  '/dev/fd': '/proc/self/fd',
  '/dev/stdin': '/proc/self/fd/0',
  '/dev/stdout': '/proc/self/fd/1',
  '/dev/stderr': '/proc/self/fd/2',
  '/dev/ptmx': 'pts/ptmx',
}

/**
 * Chapter 3. A root file system of one's own. The order matters:
 *
 * 1. take hold of what the host lends (devices, volumes), as descriptors, while its paths can still be reached;
 * 2. make the new root a mount point and pivot to it: from here on every path, and every symbolic link in it, is
 *    resolved inside the container, so a hostile image cannot send a mount elsewhere;
 * 3. mount /proc, /dev, /sys while the old root is still there (a user namespace gets a new proc only then);
 * 4. let go of the old root; 5. cover what remains dangerous.
 */
export const root: Part = {
  name: 'root',
  inside(tape, container) {
    const { spec } = container
    const lent = borrow(tape, spec)
    pivotRoot(tape, container)
    const there = ['/', ...spec.mounts.map(m => m.destination)]
    for (const mount of spec.mounts) attach(tape, mount, there, lent.get(mount))
    devices(tape, spec, lent)
    tape.umount2('.', MNT_DETACH) // the old root: it lies on top of ".", see pivot_root(2)
    tape.chdir('/')
    cover(tape, spec)
    if (spec.root.readonly) {
      const locked = container.layers ? 0 : lockedFlags(mountOf(container.rootfs)?.options ?? [])
      tape.mount(null, '/', null, MS_BIND | MS_REMOUNT | MS_RDONLY | locked, null)
    }
  },
}

/** Makes the container's directory the root of its mount namespace; the old root stays stacked over it for now. */
function pivotRoot(tape: Tape, { rootfs, layers }: Container): void {
  // pivot_root(2): new_root must be a mount point. An overlay is one; a plain directory becomes one, bound on itself
  if (!layers) tape.mount(rootfs, rootfs, null, MS_BIND | MS_REC, null)
  tape.chdir(rootfs)
  tape.pivot_root('.', '.') // pivot_root(2): with both the same, no directory for the old root is needed
}

type Lent = Map<MountSpec | string, Later>

/** Detached copies of the host's mounts and devices that the container shall have: open_tree(2). */
function borrow(tape: Tape, spec: Spec): Lent {
  const lent: Lent = new Map()
  const take = (source: string, flags = 0) =>
    tape.open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags)
  for (const mount of spec.mounts) {
    const { flags } = mountOptions(mount.options)
    if (flags & MS_BIND) lent.set(mount, take(mount.source ?? '', flags & MS_REC ? AT_RECURSIVE : 0))
  }
  // user_namespaces(7): no device nodes can be made in one, but the host's can be bound
  if (has(spec, 'user')) for (const { path } of DEVICES) lent.set(path, take(path))
  return lent
}

/** One entry of the spec's mounts, at its place. A missing place is made, as runc does. */
function attach(tape: Tape, mount: MountSpec, there: string[], lent?: Later): void {
  const { destination, type = 'bind', source = 'none' } = mount
  const { flags, data, propagation } = mountOptions(mount.options)
  if (lent) {
    makePlace(tape, destination, there, isDirectory(source))
    place(tape, lent, destination)
    const locked = lockedFlags(mountOf(source)?.options ?? [])
    const extra = (flags & ~(MS_BIND | MS_REC)) | locked
    if (extra !== locked) tape.mount(null, destination, null, MS_BIND | MS_REMOUNT | extra, null)
  } else {
    makePlace(tape, destination, there, true)
    tape.mount(source, destination, type, flags, data)
  }
  if (propagation) tape.mount(null, destination, null, propagation, null)
}

function place(tape: Tape, lent: Later, destination: string): void {
  tape.move_mount(lent, '', AT_FDCWD, destination, MOVE_MOUNT_F_EMPTY_PATH)
}

/** The folders on the way, and the folder or empty file to mount on; those that are there already are no failure. */
function makePlace(tape: Tape, path: string, there: string[], folder: boolean): void {
  const parents: string[] = []
  for (let at = posix.dirname(path); !there.includes(at); at = posix.dirname(at)) parents.unshift(at)
  for (const parent of parents) tape.attempt.mkdirat(AT_FDCWD, parent, 0o755)
  if (folder) tape.attempt.mkdirat(AT_FDCWD, path, 0o755)
  else tape.attempt.mknodat(AT_FDCWD, path, S_IFREG | 0o644, 0)
}

/** /dev: the default devices (bound in a user namespace, else made), those of the spec, and the usual links. */
function devices(tape: Tape, spec: Spec, lent: Lent): void {
  // without a /dev of its own (a spec may leave it out) the image's is used as it is
  if (!spec.mounts.some(m => m.destination === '/dev')) return
  for (const { path } of DEVICES) {
    const bound = lent.get(path)
    if (!bound) continue
    tape.mknodat(AT_FDCWD, path, S_IFREG | 0o666, 0)
    place(tape, bound, path)
  }
  const made = [...(has(spec, 'user') ? [] : DEVICES), ...(spec.linux.devices ?? [])]
  if (made.length) tape.umask(0)
  for (const { path, type, fileMode = 0o666, major = 0, minor = 0, uid = 0, gid = 0 } of made) {
    const kind = type === 'b' ? S_IFBLK : type === 'p' ? S_IFIFO : S_IFCHR
    // makedev(3) for the small numbers that devices here have: 12 bits of major, 8 of minor
    tape.attempt.mknodat(AT_FDCWD, path, kind | fileMode, (major << 8) | minor)
    if (uid || gid) tape.fchownat(AT_FDCWD, path, uid, gid, 0)
  }
  if (made.length) tape.umask(0o022)
  for (const [link, target] of Object.entries(LINKS)) tape.attempt.symlinkat(target, AT_FDCWD, link)
}

/** Hides masked paths behind /dev/null or an empty read-only tmpfs, and makes others read-only. Absent ones do not matter. */
function cover(tape: Tape, { linux }: Spec): void {
  for (const path of linux.maskedPaths ?? []) {
    // every procfs and sysfs has the same shape, so ours tells whether a path is a file or a directory
    if (isDirectory(path)) tape.attempt.mount('tmpfs', path, 'tmpfs', MS_RDONLY, 'size=0k')
    else tape.attempt.mount('/dev/null', path, null, MS_BIND, null)
  }
  for (const path of linux.readonlyPaths ?? []) {
    tape.attempt.mount(path, path, null, MS_BIND | MS_REC, null)
    const kept = MS_NOSUID | MS_NODEV | MS_NOEXEC // a remount sets all flags anew: keep those that /proc and /sys have
    tape.attempt.mount(null, path, null, MS_BIND | MS_REMOUNT | MS_RDONLY | kept, null)
  }
}

const isDirectory = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
