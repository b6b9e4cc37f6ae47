import { posix } from 'node:path'
import {
  AT_FDCWD,
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

const OPEN_HOW_SIZE = 24

/** A volume: its copy at a place that was opened just before, so that nothing on the way can be exchanged. A missing place is made, as runc does. */
export function attachVolume(tape: Tape, mount: MountSpec, there: string[], copy: Later): void {
  const { destination, source = '', options } = mount
  const folder = isDirectory(source)
  // what placeVolumes() has found to be the place, and what lies under it, may have changed since: then refused
  makePlace(tape, destination, there, folder, RESOLVE_NO_SYMLINKS)
  restrict(tape, copy, options)
  moveTo(tape, copy, open(tape, destination, RESOLVE_NO_SYMLINKS, folder))
}

/** The folders on the way, and the folder or empty file to mount on; those that are there already are no failure. */
export function makePlace(tape: Tape, path: string, there: string[], folder: boolean, links: number): void {
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
export function open(tape: Pick<Tape, 'openat2'>, path: string, resolve: number, folder = true): Later {
  const flags = O_PATH | O_CLOEXEC | (folder ? O_DIRECTORY : 0)
  return tape.openat2(AT_FDCWD, path, { flags, resolve }, OPEN_HOW_SIZE)
}
