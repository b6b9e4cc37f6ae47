import { posix } from 'node:path'
import {
  AT_FDCWD,
  OPEN_HOW_SIZE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  RESOLVE_NO_SYMLINKS,
  S_IFREG,
} from '../../kernel/syscalls/constants.ts'
import type { Later, Tape } from '../../kernel/tape/tape.ts'
import { moveTo, restrict } from './mount-copy.ts'
import { isDirectory } from './mount-kinds.ts'
import type { MountSpec } from '../spec.ts'

/** Mounts a volume's copy at a place opened just before, so that nothing on the way can be exchanged; makes a missing place, as runc does. */
export function attachVolume(tape: Tape, mount: MountSpec, there: string[], copy: Later): void {
  const { destination, source = '', options } = mount
  const folder = isDirectory(source)
  // what placeVolumes() found at and below the place may have changed since: then the mount is refused
  makePlace(tape, destination, there, folder, RESOLVE_NO_SYMLINKS)
  restrict(tape, copy, options)
  moveTo(tape, copy, open(tape, destination, RESOLVE_NO_SYMLINKS, folder))
}

/** The directories on the way, and the directory or empty file to mount on; it is no failure if they exist already. */
export function makePlace(tape: Tape, path: string, there: string[], folder: boolean, links: number): void {
  const parents: string[] = []
  for (let at = posix.dirname(path); !there.includes(at); at = posix.dirname(at)) parents.unshift(at)
  for (const place of [...parents, path]) {
    const [above, name] = [posix.dirname(place), posix.basename(place)]
    // a link of the image to /proc/<pid>/root or fd/<n> leads out of the container: symlink(7), magic links
    const [at, last] = there.includes(above) ? [AT_FDCWD, place] : [open(tape, above, links), name]
    if (folder || place !== path) tape.allow('EEXIST').mkdirat(at, last, 0o755)
    else tape.allow('EEXIST').mknodat(at, last, S_IFREG | 0o644, 0)
  }
}

/** A descriptor for a directory (or a file) of the container, opened without the kinds of links that `resolve` forbids. */
export function open(tape: Pick<Tape, 'openat2'>, path: string, resolve: number, folder = true): Later {
  const flags = O_PATH | O_CLOEXEC | (folder ? O_DIRECTORY : 0)
  return tape.openat2(AT_FDCWD, path, { flags, resolve }, OPEN_HOW_SIZE)
}
