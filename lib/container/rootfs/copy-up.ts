import { constants, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { posix } from 'node:path'
import { openFile } from '../../common/descriptor.ts'
import { MinilabError } from '../../common/errors.ts'
import { Confined } from '../../image/confined.ts'
import {
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_WRONLY,
} from '../../kernel/syscalls/constants.ts'
import type { Tape } from '../../kernel/tape/tape.ts'
import { mountOptions } from './mount-options.ts'
import type { MountSpec } from '../spec.ts'

const MAX_SIZE = 4 * 2 ** 20 // bytes: they are kept on the tape

/**
 * The mount option `tmpcopyup` of runc and crun, which Podman uses: a new tmpfs gets what the image has at its place. The calls that make
 * the files are recorded like all others, so what they contain is read now.
 */
export function copyUp(tape: Tape, rootfs: string, { destination, options }: MountSpec): void {
  if (!mountOptions(options).copyUp) return
  using image = new Confined(rootfs)
  let left = MAX_SIZE
  const copy = (path: string): void => {
    const source = image.at(path.slice(1))
    const stat = lstatSync(source, { throwIfNoEntry: false })
    if (!stat) return
    const mode = stat.mode & 0o7777
    if (stat.isSymbolicLink()) tape.symlinkat(readlinkSync(source), AT_FDCWD, path)
    else if (stat.isDirectory()) {
      if (path !== destination) tape.mkdirat(AT_FDCWD, path, mode)
    } else if (stat.isFile()) {
      left -= stat.size
      if (left < 0)
        throw new MinilabError(
          'usage',
          `tmpcopyup: ${destination} of the image has more than ${MAX_SIZE} bytes`,
          'mount it without that option',
        )
      write(tape, path, contentOf(source))
    } else tape.mknodat(AT_FDCWD, path, stat.mode, Number(stat.rdev))
    tape.fchownat(AT_FDCWD, path, stat.uid, stat.gid, AT_SYMLINK_NOFOLLOW)
    if (!stat.isSymbolicLink()) tape.fchmodat(AT_FDCWD, path, mode)
    if (stat.isDirectory())
      for (const name of readdirSync(image.at(posix.join(path, '.').slice(1)))) copy(posix.join(path, name))
  }
  copy(destination)
}

function contentOf(path: string): Buffer {
  using file = openFile(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  return readFileSync(file.fd)
}

function write(tape: Tape, path: string, content: Buffer): void {
  const file = tape.openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
  if (content.length) tape.write(file, content, content.length)
  tape.close(file)
}
