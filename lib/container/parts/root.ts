import { existsSync, realpathSync } from 'node:fs'
import {
  AT_RECURSIVE,
  MNT_DETACH,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_RDONLY,
  MS_BIND,
  MS_NODEV,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
  MS_SHARED,
  MS_UNBINDABLE,
  RESOLVE_NO_MAGICLINKS,
} from '../../kernel/syscalls/constants.ts'
import { mountinfo, mountOf } from '../../kernel/mount/mountinfo.ts'
import type { Tape } from '../../kernel/tape/tape.ts'
import { cover, covered, isFolderInside } from '../rootfs/cover.ts'
import { isInDev, makeNodes } from '../rootfs/devices.ts'
import { copyUp } from '../rootfs/copy-up.ts'
import { attachTrees, makeKernelTrees, mountNew } from '../rootfs/kernel-trees.ts'
import { borrow } from '../rootfs/lend.ts'
import { inItsTurn, type Lent, mounting, take } from '../rootfs/mount-copy.ts'
import { hasOwnDev, inKernelTree, isVolume } from '../rootfs/mount-kinds.ts'
import { lockedFlags } from '../rootfs/mount-options.ts'
import type { Container, Part } from '../part.ts'
import { attachVolume, makePlace } from '../rootfs/mount-points.ts'
import { program } from './process.ts'
import { setAttributes } from '../rootfs/mount-attributes.ts'
import type { MountSpec, Spec } from '../spec.ts'

/**
 * Chapter 3. The container's own root file system. The order matters:
 *
 * 1. open what the host lends (devices, volumes) as descriptors, while its paths can still be reached;
 * 2. make the new root a mount point and pivot to it;
 * 3. make /proc, /sys and /dev while the old root is still there (only then can a user namespace get a new /proc and /sys), where
 *    no image can interfere; cover the dangerous parts, and take copies of these mounts, too;
 * 4. detach the old root: from here on every path, and every symbolic link in it, ends inside the container, so a
 *    hostile image cannot redirect a mount, a directory or a file;
 * 5. attach all of these copies, and mount the rest.
 */
export const root: Part = {
  name: 'root',
  inside(tape, container, gate) {
    const { spec } = container
    const lent = borrow(tape, container, gate)
    if (container.mountedAt) changeRoot(tape, container, container.mountedAt)
    else pivotRoot(tape, container)
    const trees = makeKernelTrees(tape, container, lent)
    if (!container.mountedAt) tape.umount2('.', MNT_DETACH) // the old root: it lies on top of ".", see pivot_root(2)
    tape.chdir('/')
    attachTrees(tape, trees)
    attachRest(tape, container, lent)
    setRootPropagation(tape, spec)
    if (spec.root.readonly) closeRoot(tape, container)
  },
}

/**
 * Makes the root shared or unbindable: config-linux.md, "Rootfs Mount Propagation". A slave or private it is already: namespaces.ts. This comes
 * after the other mounts, because a mount on a shared mount becomes shared, too: mount_namespaces(7).
 */
function setRootPropagation(tape: Tape, { linux: { rootfsPropagation = '' } }: Spec): void {
  if (rootfsPropagation.includes('shared')) tape.mount(null, '/', null, MS_SHARED, null)
  if (rootfsPropagation.includes('unbindable')) tape.mount(null, '/', null, MS_UNBINDABLE, null)
}

/** What belongs in the image itself: other file systems, volumes, covers, device files, the working directory. */
export function attachRest(tape: Tape, container: Container, lent: Lent): void {
  const { spec } = container
  const there = ['/', ...spec.mounts.map(m => m.destination)]
  for (const mount of spec.mounts) {
    const copy = lent.get(mount)
    tape.about = mounting(mount)
    if (copy && isVolume(mount))
      attachVolume(tape, mount, there, container.rootAsGiven ? inItsTurn(tape, copy, mount) : copy)
    else if (!inKernelTree(spec, mount.destination)) {
      makePlace(tape, mount.destination, there, true, RESOLVE_NO_MAGICLINKS)
      mountNew(tape, mount, mount.destination, { container, lent })
      copyUp(tape, container.rootfs, mount)
    }
  }
  tape.about = ''
  const nodes = (spec.linux.devices ?? []).filter(device => !isInDev(device))
  if (hasOwnDev(spec)) makeNodes(tape, nodes)
  cover(tape, covered(spec).image, lent, path => isFolderInside(container, path))
  makeWorkdir(tape, spec, there)
}

/** Makes the working directory if the image has none, as runc and Docker do. */
function makeWorkdir(tape: Tape, { process: { cwd } }: Spec, there: string[]): void {
  const { part } = tape
  tape.part = program.name // if anything prevents that, it prevents the program from starting
  if (!there.includes(cwd)) makePlace(tape, cwd, there, true, RESOLVE_NO_MAGICLINKS)
  tape.part = part
}

/** Makes the root read-only. */
export function closeRoot(tape: Tape, { layers, rootfs, rootAsGiven }: Container): void {
  const kept = layers ? 0 : rootAsGiven ? lockedOn(rootfs) : plainFlags(rootfs)
  tape.mount(null, '/', null, MS_BIND | MS_REMOUNT | MS_RDONLY | kept, null)
}

/**
 * The root's options in a spec: volumes, and a read-only root. These are two separate parts, one before a root
 * part that does not handle them, the other after it.
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
        for (const [mount, copy] of lent) attachVolume(tape, mount as MountSpec, there, copy)
        makeWorkdir(tape, container.spec, there)
        if (container.spec.root.readonly) closeRoot(tape, container)
      },
    },
  ]
}

/** Makes the container's directory the root of its mount namespace; the old root stays stacked on top for now. */
function pivotRoot(tape: Tape, { spec, rootfs, layers, rootAsGiven }: Container): void {
  const noDevices = hasOwnDev(spec) && !rootAsGiven
  // pivot_root(2): new_root must be a mount point. An overlay is one; a plain directory becomes one by a bind mount on itself
  if (!layers) {
    separateFromBelow(tape, spec, rootfs)
    tape.mount(rootfs, rootfs, null, MS_BIND | MS_REC, null)
    const below = restrictAll(tape, spec, rootfs, noDevices)
    // a device file in an untrusted image must not open anything; the overlay of a user namespace ensures that itself
    const kept = noDevices ? plainFlags(rootfs) : lockedOn(rootfs)
    if (noDevices || below) tape.mount(null, rootfs, null, MS_BIND | MS_REMOUNT | kept, null)
  }
  tape.chdir(rootfs)
  tape.pivot_root('.', '.') // pivot_root(2): with both the same, no directory for the old root is needed
}

/**
 * Without its own mount namespace: pivot_root would change the root of the machine's processes, too. All that the container mounts lies on
 * one mount, with which it is taken back; no other mount namespace gets a copy.
 */
function changeRoot(tape: Tape, { rootfs }: Container, at: string): void {
  tape.mount(rootfs, at, null, MS_BIND | MS_REC, null)
  tape.mount(null, at, null, MS_PRIVATE | MS_REC, null)
  tape.chdir(at)
  tape.chroot('.')
}

/** pivot_root(2): the mount that the new root lies on must not be shared, as it is if the spec asks for that. */
function separateFromBelow(tape: Tape, { linux }: Spec, rootfs: string): void {
  if (!linux.rootfsPropagation?.includes('shared')) return
  tape.mount(null, mountOf(realpathSync(rootfs))?.target ?? '/', null, MS_PRIVATE, null)
}

/**
 * Mounts below the directory come with it, each with its own attributes. So all of them get the requested attributes,
 * including hidden mounts. The topmost stays writable until the container is set up. Returns whether there was anything to do.
 */
function restrictAll(tape: Tape, spec: Spec, rootfs: string, noDevices: boolean): boolean {
  const attributes = (noDevices ? MOUNT_ATTR_NODEV : 0) | (spec.root.readonly ? MOUNT_ATTR_RDONLY : 0)
  const real = existsSync(rootfs) ? realpathSync(rootfs) : rootfs // mountinfo has no symbolic links
  if (!attributes || !mountinfo().some(({ target }) => target.startsWith(`${real}/`))) return false
  setAttributes(tape, rootfs, attributes, { depth: AT_RECURSIVE })
  return true
}

/** The mount flags for a root that is a plain directory. */
const plainFlags = (rootfs: string) => MS_NODEV | lockedOn(rootfs)

/** The flags that a mount of a path on the host must keep. */
function lockedOn(path: string): number {
  return lockedFlags(existsSync(path) ? (mountOf(realpathSync(path))?.options ?? []) : [])
}
