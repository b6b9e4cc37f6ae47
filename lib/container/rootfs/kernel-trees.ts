import { posix } from 'node:path'
import {
  AT_FDCWD,
  MNT_DETACH,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REMOUNT,
  O_CLOEXEC,
  O_WRONLY,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../../kernel/syscalls/constants.ts'
import { hierarchies, type Hierarchy } from '../../kernel/cgroup/cgroupfs.ts'
import type { Later, Tape } from '../../kernel/tape/tape.ts'
import { cover, covered } from './cover.ts'
import { devices } from './devices.ts'
import { attachCopy, type Lent, mounting, moveTo, restrict, take } from './mount-copy.ts'
import { hasOwnDev, inKernelTree, isDirectory, isVolume, kernelTrees } from './mount-kinds.ts'
import { mountOptions } from './mount-options.ts'
import { open } from './mount-points.ts'
import type { Container } from '../part.ts'
import { setAttributes } from './mount-attributes.ts'
import { has, type MountSpec, type Spec } from '../spec.ts'

/** A path of the container on the staging tmpfs. ".." of the root is the mount that lies on top of it: follow_dotdot(), fs/namei.c. */
const staged = (path: string) => `/..${path}`

/**
 * Makes /proc, /sys and /dev complete on a staging tmpfs, on top of the root: an image can be a directory that another process
 * writes to at the same time, so no path in it can be trusted. Returns a copy of each, by its place, for attachTrees().
 */
export function makeKernelTrees(tape: Tape, container: Container, lent: Lent): Map<string, Later> {
  const { spec } = container
  tape.mount('tmpfs', '/', 'tmpfs', MS_NOSUID | MS_NODEV | MS_NOEXEC, 'mode=755')
  for (const mount of spec.mounts) {
    if (isVolume(mount) || !inKernelTree(spec, mount.destination)) continue
    tape.about = mounting(mount)
    const target = staged(mount.destination)
    for (const folder of foldersTo(spec, mount)) tape.allow('EEXIST').mkdirat(AT_FDCWD, staged(folder), 0o755)
    const copy = lent.get(mount)
    if (!copy) mountNew(tape, mount, target, { container, lent })
    else {
      restrict(tape, copy, mount.options)
      attachCopy(tape, copy, target)
    }
  }
  tape.about = ''
  if (hasOwnDev(spec)) devices(tape, spec, lent, staged)
  setSysctls(tape, spec, staged)
  cover(tape, covered(spec).kernel, lent, isDirectory, staged)
  const trees = new Map<string, Later>()
  for (const { destination } of kernelTrees(spec))
    trees.set(destination, take(tape, { source: staged(destination), options: ['rbind'] }))
  tape.umount2(staged(''), MNT_DETACH)
  return trees
}

/** Attaches them in the image, once no path in it can lead out of it. */
export function attachTrees(tape: Tape, trees: Map<string, Later>): void {
  for (const [destination, copy] of trees) {
    tape.allow('EEXIST').mkdirat(AT_FDCWD, destination, 0o755)
    // CVE-2019-19921: a link in place of /proc diverts the masks. Only /dev may be a link, as with runc
    const links = destination === '/dev' ? RESOLVE_NO_MAGICLINKS : RESOLVE_NO_SYMLINKS
    moveTo(tape, copy, open(tape, destination, links))
  }
}

/** The directories to make for a mount: those below the mount that it lies in. */
function foldersTo({ mounts }: Spec, { destination }: MountSpec): string[] {
  const folders = [destination]
  for (let above = posix.dirname(destination); above !== '/'; above = posix.dirname(above)) {
    if (mounts.some(mount => mount.destination === above)) break
    folders.unshift(above)
  }
  return folders
}

/** A new file system at a path. */
export function mountNew(
  tape: Tape,
  { type = 'none', source = 'none', options }: MountSpec,
  target: string,
  given: { container: Container; lent: Lent },
): void {
  const { flags, data, propagation } = mountOptions(options)
  if (type === 'cgroup') return mountCgroups(tape, target, flags, given)
  tape.mount(source, target, type, flags, data)
  if (propagation) tape.mount(null, target, null, propagation, null)
}

/**
 * The container's cgroups, as they are on the host: a single tree on v2, otherwise one directory for each hierarchy. In a
 * cgroup namespace each one starts at the container's cgroup: cgroup_namespaces(7). Without one, the container's own directories are bound.
 */
function mountCgroups(
  tape: Tape,
  destination: string,
  flags: number,
  { container: { spec, cgroup }, lent }: { container: Container; lent: Lent },
): void {
  const found = hierarchies()
  const own = (at: Hierarchy) => {
    const path = cgroup?.folders.find(({ hierarchy }) => hierarchy.mount === at.mount)?.path
    return path === undefined ? undefined : lent.get(`cgroup ${path}`)
  }
  const bind = (copy: Later, target: string) => {
    setAttributes(tape, copy, flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC))
    attachCopy(tape, copy, target)
  }
  const [first] = found
  if (first && found.every(({ version }) => version === 2)) {
    const copy = own(first)
    return copy ? bind(copy, destination) : void tape.mount('cgroup', destination, 'cgroup2', flags, null)
  }
  tape.mount('tmpfs', destination, 'tmpfs', flags & ~MS_RDONLY, 'mode=755')
  for (const hierarchy of found) {
    const { version, controllers } = hierarchy
    const names = controllers.join(',')
    const copy = own(hierarchy)
    if (!copy && !has(spec, 'cgroup')) continue // a hierarchy in which the container has no cgroup
    const folder = `${destination}/${version === 2 ? 'unified' : names.replace('name=', '')}` // posix.join() would resolve the ..
    tape.mkdirat(AT_FDCWD, folder, 0o755)
    if (copy) bind(copy, folder)
    else if (version === 2) tape.mount('cgroup', folder, 'cgroup2', flags, null)
    else tape.mount('cgroup', folder, 'cgroup', flags, /^name=/.test(names) ? `none,${names}` : names)
  }
  if (flags & MS_RDONLY) tape.mount(null, destination, null, MS_BIND | MS_REMOUNT | flags, null)
}

/** `net.ipv4.ip_forward` is /proc/sys/net/ipv4/ip_forward: written before that tree becomes read-only. */
export function setSysctls(tape: Tape, { linux }: Spec, at: (path: string) => string): void {
  for (const [name, value] of Object.entries(linux.sysctl ?? {})) {
    tape.about = `error setting sysctl ${name}`
    const path = `${at('/proc/sys')}/${name.replaceAll('.', '/')}`
    const file = tape.openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0)
    tape.write(file, Buffer.from(value), Buffer.byteLength(value))
    tape.close(file)
  }
  tape.about = ''
}
