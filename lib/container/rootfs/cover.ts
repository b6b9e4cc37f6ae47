import {
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
import { hasOwnDev, inKernelTree, isDirectory } from './mount-kinds.ts'
import type { Spec } from '../spec.ts'

/** Masks files with /dev/null and directories with an empty read-only tmpfs, and makes paths read-only. Missing paths are skipped. */
export function cover(
  tape: Tape,
  { masked, readonly }: Covered,
  lent: Lent,
  at = (path: string) => path,
): void {
  for (const path of masked) {
    const copy = lent.get(path)
    // a file masks a file, a directory a directory: ENOTDIR. In the kernel's trees we know which it is; elsewhere both are tried
    const attempts = isOfKernel(path) ? [isDirectory(path)] : [false, true]
    for (const asFolder of attempts) {
      const allowed = tape.allow('ENOENT', attempts.length > 1 ? 'ENOTDIR' : undefined)
      if (asFolder) allowed.mount('tmpfs', at(path), 'tmpfs', MS_RDONLY, 'size=0k')
      else if (copy) attachCopy(allowed, copy, at(path))
      else allowed.mount(at('/dev/null'), at(path), null, MS_BIND, null)
    }
  }
  for (const path of readonly) {
    const there = tape.allow('ENOENT')
    there.mount(at(path), at(path), null, MS_BIND | MS_REC, null)
    const kept = MS_NOSUID | MS_NODEV | MS_NOEXEC // a remount replaces all flags: keep those that /proc and /sys have
    there.mount(null, at(path), null, MS_BIND | MS_REMOUNT | MS_RDONLY | kept, null)
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

/** The masked paths that may be files, and for which our /dev/null cannot be reached by its path. */
export function maskedFilesOfImage(spec: Spec): string[] {
  const { kernel, image } = covered(spec)
  const paths = hasOwnDev(spec) ? image.masked : [...kernel.masked, ...image.masked]
  return paths.filter(path => !isOfKernel(path) || !isDirectory(path))
}

// every procfs and sysfs has the same layout, so ours tells whether a path in them is a file or a directory
const isOfKernel = (path: string) => /^[/](proc|sys)[/]/.test(path)
