import { existsSync, realpathSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import {
  AT_FDCWD,
  AT_RECURSIVE,
  MNT_DETACH,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_EMPTY_PATH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_WRONLY,
  OPEN_TREE_CLOEXEC,
  OPEN_TREE_CLONE,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFREG,
} from '../kernel/constants.ts'
import { hierarchies } from '../kernel/cgroupfs.ts'
import { mountinfo, mountOf } from '../kernel/mountinfo.ts'
import { inFirstUserNamespace } from '../kernel/procfs.ts'
import type { Later, Tape } from '../kernel/tape.ts'
import { lockedFlags, mountOptions } from './mount-options.ts'
import type { Container, Part } from './part.ts'
import { program } from './program.ts'
import { makeReadOnly, setAttributes } from './read-only-mount.ts'
import { type DeviceSpec, has, type MountSpec, type Spec } from './spec.ts'

const OPEN_HOW_SIZE = 24

/** The devices that every container has: runtime-spec config-linux.md, "Default Devices". */
export const DEVICES: DeviceSpec[] = [
  { path: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o666 },
  { path: '/dev/zero', type: 'c', major: 1, minor: 5, fileMode: 0o666 },
  { path: '/dev/full', type: 'c', major: 1, minor: 7, fileMode: 0o666 },
  { path: '/dev/random', type: 'c', major: 1, minor: 8, fileMode: 0o666 },
  { path: '/dev/urandom', type: 'c', major: 1, minor: 9, fileMode: 0o666 },
  { path: '/dev/tty', type: 'c', major: 5, minor: 0, fileMode: 0o666 },
]

export const LINKS = {
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
 * 2. make the new root a mount point and pivot to it;
 * 3. mount /proc and /sys while the old root is still there (a user namespace gets new ones only then). It lies on top of
 *    "/", and ".." leads up into it: so these two are mounted on real directories only;
 * 4. let go of the old root: from here on every path, and every symbolic link in it, ends inside the container, so a
 *    hostile image cannot send a mount, a folder or a file elsewhere;
 * 5. mount the rest; cover what remains dangerous, before a volume can put something else in the place of /dev/null.
 */
export const root: Part = {
  name: 'root',
  inside(tape, container) {
    const { spec } = container
    const lent = borrow(tape, spec)
    pivotRoot(tape, container)
    const early = spec.mounts.filter(isEarly)
    for (const mount of early) {
      tape.allow('EEXIST').mkdirat(AT_FDCWD, mount.destination, 0o755)
      open(tape, mount.destination, RESOLVE_NO_SYMLINKS) // CVE-2019-19921: refused where the image has a link
      mountNew(tape, mount)
    }
    tape.umount2('.', MNT_DETACH) // the old root: it lies on top of ".", see pivot_root(2)
    tape.chdir('/')

    setSysctls(tape, spec)
    const late = spec.mounts.filter(mount => !early.includes(mount))
    const [volumes, dev] = [
      late.findIndex(isVolume),
      late.findIndex(({ destination }) => destination === '/dev'),
    ]
    const own = volumes === -1 ? late : late.slice(0, Math.max(volumes, dev + 1)) // devices are made in it
    const there = ['/', ...spec.mounts.map(m => m.destination)]
    for (const mount of own) attach(tape, mount, there, lent.get(mount))
    devices(tape, spec, lent)
    cover(tape, spec, lent)
    for (const mount of late.slice(own.length)) attach(tape, mount, there, lent.get(mount))
    makeWorkdir(tape, spec, there)
    if (spec.root.readonly) closeRoot(tape, container)
  },
}

/** The working directory, where the image has none: runc and Docker make it, too. */
function makeWorkdir(tape: Tape, { process: { cwd } }: Spec, there: string[]): void {
  const { part } = tape
  tape.part = program.name // what stands in its way, stands in the way of the program
  if (!there.includes(cwd)) makePlace(tape, cwd, there, true, RESOLVE_NO_MAGICLINKS)
  tape.part = part
}

/** The root made read-only. */
function closeRoot(tape: Tape, { layers, rootfs }: Container): void {
  const kept = layers ? 0 : plainFlags(rootfs)
  tape.mount(null, '/', null, MS_BIND | MS_REMOUNT | MS_RDONLY | kept, null)
}

/**
 * What the spec asks for besides a root: volumes, and that nobody may write to it. As two parts of their own, one before a root
 * part that knows nothing of them, the other after it.
 */
export function volumesAround(): [before: Part, after: Part] {
  const lent: Lent = new Map()
  return [
    {
      name: root.name,
      inside: (tape, { spec }) =>
        spec.mounts.filter(isVolume).forEach(mount => lent.set(mount, take(tape, mount))),
    },
    {
      name: root.name,
      inside(tape, container) {
        const there = ['/', ...container.spec.mounts.map(m => m.destination)]
        for (const [mount, copy] of lent) attach(tape, mount as MountSpec, there, copy)
        makeWorkdir(tape, container.spec, there)
        if (container.spec.root.readonly) closeRoot(tape, container)
      },
    },
  ]
}

/** What the kernel gives a user namespace only while another of its kind is in sight: mount_too_revealing(), fs/namespace.c. */
function isEarly({ type = '', destination }: MountSpec): boolean {
  return ['proc', 'sysfs'].includes(type) && posix.dirname(destination) === '/'
}

/** What somebody else lends, and may fill with anything; the host's /sys, in mode host, is none. */
function isVolume({ destination, options }: MountSpec): boolean {
  return isBind(options) && !`${destination}/`.startsWith('/sys/')
}

/** Of its own, or one that we are in ourselves, as on the bench. */
const inUserNamespace = (spec: Spec) => has(spec, 'user') || !inFirstUserNamespace()

const isBind = (options: MountSpec['options']) => (mountOptions(options).flags & MS_BIND) !== 0

/** Whether /dev is a new file system of the container's own, with nothing in it but what we make. */
function hasOwnDev({ mounts }: Spec): boolean {
  const dev = mounts.find(({ destination }) => destination === '/dev')
  return dev !== undefined && !isBind(dev.options)
}

/** Makes the container's directory the root of its mount namespace; the old root stays stacked over it for now. */
function pivotRoot(tape: Tape, { spec, rootfs, layers }: Container): void {
  // pivot_root(2): new_root must be a mount point. An overlay is one; a plain directory becomes one, bound on itself
  if (!layers) {
    tape.mount(rootfs, rootfs, null, MS_BIND | MS_REC, null)
    const below = restrictAll(tape, spec, rootfs)
    // a stranger's device file must open nothing; the overlay of a user namespace has that by itself
    const kept = hasOwnDev(spec) ? plainFlags(rootfs) : lockedOn(rootfs)
    if (hasOwnDev(spec) || below) tape.mount(null, rootfs, null, MS_BIND | MS_REMOUNT | kept, null)
  }
  tape.chdir(rootfs)
  tape.pivot_root('.', '.') // pivot_root(2): with both the same, no directory for the old root is needed
}

/**
 * What was mounted below the directory came with it, each mount with attributes of its own: so all get those that are asked for, the
 * hidden ones too. The topmost is written to until the container stands. Tells whether there was anything to do.
 */
function restrictAll(tape: Tape, spec: Spec, rootfs: string): boolean {
  const attributes = (hasOwnDev(spec) ? MOUNT_ATTR_NODEV : 0) | (spec.root.readonly ? MOUNT_ATTR_RDONLY : 0)
  const real = existsSync(rootfs) ? realpathSync(rootfs) : rootfs // mountinfo has no symbolic links
  if (!attributes || !mountinfo().some(({ target }) => target.startsWith(`${real}/`))) return false
  setAttributes(tape, rootfs, attributes, { depth: AT_RECURSIVE })
  return true
}

type Lent = Map<MountSpec | string, Later>

/** Detached copies of the host's mounts and devices that the container shall have: open_tree(2). */
function borrow(tape: Tape, spec: Spec): Lent {
  const lent: Lent = new Map()
  for (const mount of spec.mounts) if (isBind(mount.options)) lent.set(mount, take(tape, mount))
  // user_namespaces(7): no device nodes can be made in one, but the host's can be bound
  if (inUserNamespace(spec) && hasOwnDev(spec))
    for (const { path } of DEVICES) lent.set(path, takeDevice(tape, path))
  // a /dev/null of the image or of a volume may be anything, even a link to what is to be covered (CVE-2025-31133)
  if (!hasOwnDev(spec)) for (const path of maskedFiles(spec)) lent.set(path, takeDevice(tape, '/dev/null'))
  return lent
}

/**
 * A device of the host, to be used and not to be changed: a read-only mount lets nobody chmod or chown the node, as root could
 * whose uid is the same outside; writing to the device is no writing to the file system.
 */
function takeDevice(tape: Tape, path: string): Later {
  const device = take(tape, { source: path })
  makeReadOnly(tape, device)
  return device
}

function take(tape: Tape, { source = '', options }: Omit<MountSpec, 'destination'>): Later {
  const all = mountOptions(options).flags & MS_REC ? AT_RECURSIVE : 0
  return tape.open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | all)
}

/** One entry of the spec's mounts, at its place. A missing place is made, as runc does. */
function attach(tape: Tape, mount: MountSpec, there: string[], lent?: Later): void {
  const { destination, source = '', options } = mount
  const folder = !lent || isDirectory(source)
  const links = isVolume(mount) ? RESOLVE_NO_SYMLINKS : RESOLVE_NO_MAGICLINKS
  makePlace(tape, destination, there, folder, links)
  if (!lent) return mountNew(tape, mount)
  restrict(tape, lent, options)
  if (!isVolume(mount)) return place(tape, lent, destination)
  // what volumes() has found to be the place, and what lies under it, another volume may have changed since: then refused
  const at = open(tape, destination, links, folder)
  tape.move_mount(lent, '', at, '', MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)
}

/** Sets what the options ask for on a mount that is in nobody's sight yet, for all mounts below it too where they say so. */
function restrict(tape: Tape, lent: Later, options: MountSpec['options']): void {
  const { flags, recursive, propagation } = mountOptions(options)
  const top = flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC) & ~recursive
  if (recursive) setAttributes(tape, lent, recursive, { depth: AT_RECURSIVE })
  if (top) setAttributes(tape, lent, top)
  const depth = propagation & MS_REC ? AT_RECURSIVE : 0
  if (propagation) setAttributes(tape, lent, 0, { depth, propagation: propagation & ~MS_REC })
}

function mountNew(tape: Tape, { destination, type = 'none', source = 'none', options }: MountSpec): void {
  const { flags, data, propagation } = mountOptions(options)
  if (type === 'cgroup') return mountCgroups(tape, destination, flags)
  tape.mount(source, destination, type, flags, data)
  if (propagation) tape.mount(null, destination, null, propagation, null)
}

/**
 * The cgroups that the container is in, as they are on the host: a single tree on v2, else one folder for each hierarchy. In a
 * cgroup namespace each begins where the container is: cgroup_namespaces(7).
 */
function mountCgroups(tape: Tape, destination: string, flags: number): void {
  const found = hierarchies()
  if (found.every(({ version }) => version === 2))
    return void tape.mount('cgroup', destination, 'cgroup2', flags, null)
  tape.mount('tmpfs', destination, 'tmpfs', flags & ~MS_RDONLY, 'mode=755')
  for (const { version, controllers } of found) {
    const names = controllers.join(',')
    const folder = posix.join(destination, version === 2 ? 'unified' : names.replace('name=', ''))
    tape.mkdirat(AT_FDCWD, folder, 0o755)
    if (version === 2) tape.mount('cgroup', folder, 'cgroup2', flags, null)
    else tape.mount('cgroup', folder, 'cgroup', flags, /^name=/.test(names) ? `none,${names}` : names)
  }
  if (flags & MS_RDONLY) tape.mount(null, destination, null, MS_BIND | MS_REMOUNT | flags, null)
}

/** `net.ipv4.ip_forward` is /proc/sys/net/ipv4/ip_forward: written before that is read-only. */
function setSysctls(tape: Tape, { linux }: Spec): void {
  for (const [name, value] of Object.entries(linux.sysctl ?? {})) {
    const file = tape.openat(AT_FDCWD, `/proc/sys/${name.replaceAll('.', '/')}`, O_WRONLY | O_CLOEXEC, 0)
    tape.write(file, Buffer.from(value), Buffer.byteLength(value))
    tape.close(file)
  }
}

function place(tape: Tape, lent: Later, destination: string): void {
  tape.move_mount(lent, '', AT_FDCWD, destination, MOVE_MOUNT_F_EMPTY_PATH)
}

/** The folders on the way, and the folder or empty file to mount on; those that are there already are no failure. */
function makePlace(tape: Tape, path: string, there: string[], folder: boolean, links: number): void {
  const parents: string[] = []
  for (let at = posix.dirname(path); !there.includes(at); at = posix.dirname(at)) parents.unshift(at)
  for (const place of [...parents, path]) {
    const [above, name] = [posix.dirname(place), posix.basename(place)]
    // where a link of the image leads to /proc/<pid>/root or fd/<n>, it leads out of the container: symlink(7), magic links
    const [at, last] = there.includes(above) ? [AT_FDCWD, place] : [open(tape, above, links), name]
    if (folder || place !== path) tape.allow('EEXIST').mkdirat(at, last, 0o755)
    else tape.allow('EEXIST').mknodat(at, last, S_IFREG | 0o644, 0)
  }
}

/** A descriptor for a directory (or a file) of the container, found without the links that `resolve` forbids. */
function open(tape: Tape, path: string, resolve: number, folder = true): Later {
  const flags = O_PATH | O_CLOEXEC | (folder ? O_DIRECTORY : 0)
  return tape.openat2(AT_FDCWD, path, { flags, resolve }, OPEN_HOW_SIZE)
}

/** /dev: the default devices (bound in a user namespace, else made), those of the spec, and the usual links. */
function devices(tape: Tape, spec: Spec, lent: Lent): void {
  // without a /dev of its own (a spec may leave it out, or bind one) that is used as it is
  if (!hasOwnDev(spec)) return
  for (const { path } of DEVICES) {
    const bound = lent.get(path)
    if (!bound) continue
    tape.mknodat(AT_FDCWD, path, S_IFREG | 0o666, 0)
    place(tape, bound, path)
  }
  const made = [...(inUserNamespace(spec) ? [] : DEVICES), ...(spec.linux.devices ?? [])]
  if (made.length) tape.umask(0)
  for (const { path, type, fileMode = 0o666, major = 0, minor = 0, uid = 0, gid = 0 } of made) {
    const kind = type === 'b' ? S_IFBLK : type === 'p' ? S_IFIFO : S_IFCHR
    // makedev(3) for the small numbers that devices here have: 12 bits of major, 8 of minor
    tape.allow('EEXIST').mknodat(AT_FDCWD, path, kind | fileMode, (major << 8) | minor)
    if (uid || gid) tape.fchownat(AT_FDCWD, path, uid, gid, 0)
  }
  if (made.length) tape.umask(0o022)
  for (const [link, target] of Object.entries(LINKS)) tape.allow('EEXIST').symlinkat(target, AT_FDCWD, link)
}

/** Hides masked paths behind /dev/null or an empty read-only tmpfs, and makes others read-only. Absent ones do not matter. */
function cover(tape: Tape, { linux }: Spec, lent: Lent): void {
  for (const path of linux.maskedPaths ?? []) {
    const bound = lent.get(path)
    // a file hides a file, and a directory a directory: ENOTDIR. What the kernel shows is here as it is there; else both are tried
    const kinds = isOfKernel(path) ? [isDirectory(path)] : [false, true]
    for (const folder of kinds) {
      const allowed = tape.allow('ENOENT', kinds.length > 1 ? 'ENOTDIR' : undefined)
      if (folder) allowed.mount('tmpfs', path, 'tmpfs', MS_RDONLY, 'size=0k')
      else if (bound) allowed.move_mount(bound, '', AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH)
      else allowed.mount('/dev/null', path, null, MS_BIND, null)
    }
  }
  for (const path of linux.readonlyPaths ?? []) {
    const there = tape.allow('ENOENT')
    there.mount(path, path, null, MS_BIND | MS_REC, null)
    const kept = MS_NOSUID | MS_NODEV | MS_NOEXEC // a remount sets all flags anew: keep those that /proc and /sys have
    there.mount(null, path, null, MS_BIND | MS_REMOUNT | MS_RDONLY | kept, null)
  }
}

/** The masked paths that may be files: of one that the kernel does not show, only the image knows. */
const maskedFiles = ({ linux }: Spec) =>
  (linux.maskedPaths ?? []).filter(path => !isOfKernel(path) || !isDirectory(path))

const isOfKernel = (path: string) => /^[/](proc|sys)[/]/.test(path)
// every procfs and sysfs has the same shape, so ours tells whether a path of them is a file or a directory
const isDirectory = (path: string) => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false

/** The flags of a root that is a plain directory. */
const plainFlags = (rootfs: string) => MS_NODEV | lockedOn(rootfs)

/** The flags that a mount of what lies at a path of the host must keep. */
function lockedOn(path: string): number {
  return lockedFlags(existsSync(path) ? (mountOf(realpathSync(path))?.options ?? []) : [])
}
