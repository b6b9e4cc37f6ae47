import {
  createWriteStream,
  fchownSync,
  fstatSync,
  fsyncSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { type Descriptor, openFile } from './descriptor.ts'

// How a file appears complete or not at all: it is written as a partial file, under another name, and then rename(2) moves it
// into place. If we are killed, the partial file stays and the next command removes it: so its name must be predictable, or in
// a scratch folder. rename(2) does not replace a directory that is not empty, so code that makes directories handles that case
// itself.

/** The owner of a file. */
export interface Ids {
  uid: number
  gid: number
}

interface Making {
  /** before the umask is applied */
  mode?: number
  /** the owner to give a new file; undefined: unchanged */
  owner?: (path: string, made: Ids) => Ids | undefined
  /** `false`: no fsync(2), where losing the file in a power failure does no harm; one fsync takes longer than starting a container */
  sync?: boolean
}

interface Replacing extends Making {
  /** the partial file, on the same file system */
  partial?: string
}

/** Makes a file and opens it for reading and writing. Throws with EEXIST if it exists. */
export function openNew(path: string, { mode = 0o666, owner }: Making = {}): Descriptor {
  const file = openFile(path, 'wx+', mode)
  try {
    const ids = owner?.(path, fstatSync(file.fd))
    if (ids) fchownSync(file.fd, ids.uid, ids.gid)
    return file
  } catch (error) {
    file[Symbol.dispose]()
    throw error
  }
}

/** Makes a file. Throws with EEXIST if it exists. */
export function createFile(path: string, content: string | Buffer, making?: Making): void {
  using file = openNew(path, making)
  writeFileSync(file.fd, content)
  if (making?.sync !== false) fsyncSync(file.fd)
}

/** Makes or replaces a file, completely or not at all, even if we are killed or the machine crashes. */
export function replaceFile(
  path: string,
  content: string | Buffer,
  { partial = `${path}.new`, ...making }: Replacing = {},
): void {
  rmSync(partial, { force: true }) // left by a process that was killed
  try {
    createFile(partial, content, making)
    renameSync(partial, path)
  } catch (error) {
    rmSync(partial, { force: true })
    throw error
  }
}

/** The name of the partial file of a stream; each process has its own, because writing may take long. */
export function partialOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}`)
}

/**
 * Makes or replaces a file as `replaceFile` does, but without fsync(2). `fill` writes to the stream, ends it, and resolves when
 * all is written; its result is ours. After an error no file is left.
 */
export async function replaceFileBy<T>(
  path: string,
  fill: (out: Writable) => Promise<T>,
  making?: Making,
): Promise<T> {
  const partial = partialOf(path)
  try {
    const result = await fill(createWriteStream('', { fd: openNew(partial, making).fd }))
    renameSync(partial, path)
    return result
  } catch (error) {
    rmSync(partial, { force: true })
    throw error
  }
}
