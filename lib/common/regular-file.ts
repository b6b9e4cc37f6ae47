import { constants, fstatSync, readSync } from 'node:fs'
import { openFile } from './descriptor.ts'

const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants

/**
 * The content of a file that others may have put there, or why it is not read: reading a FIFO or /dev/zero would never end.
 * `most`: in bytes. `flags`: more flags for open(2). Throws where the file cannot be opened.
 */
export function readRegular(path: string, most: number, flags = 0): Buffer | 'no file' | 'too large' {
  using file = openFile(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | flags)
  const stat = fstatSync(file.fd)
  if (!stat.isFile()) return 'no file'
  if (stat.size > most) return 'too large'
  return readPart(file.fd, 0, stat.size)
}

/** Up to `size` bytes of an open regular file, from an offset; fewer at its end. */
export function readPart(fd: number, from: number, size: number): Buffer {
  const bytes = Buffer.alloc(size)
  let length = 0
  for (let read = -1; read !== 0 && length < size; length += read)
    read = readSync(fd, bytes, length, size - length, from + length)
  return bytes.subarray(0, length)
}
