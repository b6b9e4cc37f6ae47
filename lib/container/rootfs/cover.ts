import {
  MOVE_MOUNT_T_SYMLINKS,
  MS_BIND,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
  MS_REC,
  MS_REMOUNT,
} from '../../kernel/syscalls/constants.ts'
import type { Tape } from '../../kernel/tape/tape.ts'
import { attachCopy, type Lent } from './mount-copy.ts'
import { folderIn } from './folder-in.ts'
import { makeReadOnly } from './mount-attributes.ts'
import { hasOwnDev, inKernelTree, isBind, isDirectory } from './mount-kinds.ts'
import { resolveMerged } from '../../image/merged-file.ts'
import type { Container } from '../part.ts'
import type { Spec } from '../spec.ts'

/**
 * Masks files with /dev/null and directories with an empty read-only tmpfs, and makes paths read-only. Missing paths are skipped. If what
 * stands at a path is exchanged meanwhile, the kernel refuses to mount a directory on a file, or a file on a directory.
 */
export function cover(
  tape: Tape,
  { masked, readonly }: Covered,
  lent: Lent,
  isFolder: (path: string) => boolean,
  at = (path: string) => path,
): void {
  for (const path of masked) {
    const copy = lent.get(path)
    const there = tape.allow('ENOENT')
    if (isFolder(path)) there.mount('tmpfs', at(path), 'tmpfs', MS_RDONLY, 'size=0k')
    else if (copy) attachCopy(there, copy, at(path), MOVE_MOUNT_T_SYMLINKS)
    else there.mount(at('/dev/null'), at(path), null, MS_BIND, null)
  }
  for (const path of readonly) {
    const there = tape.allow('ENOENT')
    there.mount(at(path), at(path), null, MS_BIND | MS_REC, null)
    const kept = MS_NOSUID | MS_NODEV | MS_NOEXEC // a remount replaces all flags: keep those that /proc and /sys have
    if (isOfKernel(path)) there.mount(null, at(path), null, MS_BIND | MS_REMOUNT | MS_RDONLY | kept, null)
    else makeReadOnly(there, at(path)) // its programs can still be executed
  }
}

interface Covered {
  masked: string[]
  readonly: string[]
}

/** The paths to cover: in the kernel's trees, and in the image. */
export function covered(spec: Spec): { kernel: Covered; image: Covered } {
  const { maskedPaths = [], readonlyPaths = [] } = spec.linux
  const of = (isWanted: (path: string) => boolean): Covered => ({
    masked: maskedPaths.filter(isWanted),
    readonly: readonlyPaths.filter(isWanted),
  })
  return { kernel: of(path => inKernelTree(spec, path)), image: of(path => !inKernelTree(spec, path)) }
}

/** The masked paths that are files, and for which our /dev/null cannot be reached by its path. */
export function maskedFilesOfImage(container: Pick<Container, 'rootfs' | 'spec'>): string[] {
  const { spec } = container
  const { kernel, image } = covered(spec)
  const paths = hasOwnDev(spec) ? image.masked : [...kernel.masked, ...image.masked]
  return paths.filter(path => !isFolderInside(container, path))
}

/** Whether a path of the image, or of a volume in it, is a directory, or a link that leads to one. */
export function isFolderInside({ rootfs, spec }: Pick<Container, 'rootfs' | 'spec'>, path: string): boolean {
  if (isOfKernel(path)) return isDirectory(path)
  const place = resolveMerged([rootfs], path)
  const around = spec.mounts.findLast(
    mount => isBind(mount) && `${place}/`.startsWith(`${mount.destination}/`),
  )
  using folder = folderIn(around?.source ?? rootfs, place.slice((around?.destination.length ?? 0) + 1))
  return folder !== undefined
}

// every procfs and sysfs has the same layout, so ours tells whether a path in them is a file or a directory
const isOfKernel = (path: string) => /^[/](proc|sys)[/]/.test(path)
