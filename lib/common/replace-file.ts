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

// How a file appears at once or not at all: it is written under another name, the partial file, and then rename(2) puts it in its
// place. A kill leaves the partial file, which the next command removes: so its name must be known, or lie in a scratch folder.
// Folders are put in place where they are made: rename(2) replaces none that has something in it.

/** Whom a file belongs to. */
export interface Ids {
  uid: number
  gid: number
}

interface Making {
  /** less the umask */
  mode?: number
  /** whom a new file is given to; undefined: it stays whose it is */
  owner?: (path: string, made: Ids) => Ids | undefined
  /** `false`: not fsync(2), where a loss of power loses nothing of worth, and an fsync takes longer than a container's start */
  sync?: boolean
}

interface Replacing extends Making {
  /** the partial file, on the same file system */
  partial?: string
}

/** Opens a file that must not be there yet, to read and write. Throws with EEXIST where it is. */
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

/** Makes a file that must not be there yet. Throws with EEXIST where it is. */
export function createFile(path: string, content: string | Buffer, making?: Making): void {
  using file = openNew(path, making)
  writeFileSync(file.fd, content)
  if (making?.sync !== false) fsyncSync(file.fd)
}

/** Makes a file, or puts another in its place: at once or not at all, also if we are killed, or the machine is, in the middle. */
export function replaceFile(
  path: string,
  content: string | Buffer,
  { partial = `${path}.new`, ...making }: Replacing = {},
): void {
  rmSync(partial, { force: true }) // of a process that was killed
  try {
    createFile(partial, content, making)
    renameSync(partial, path)
  } catch (error) {
    rmSync(partial, { force: true })
    throw error
  }
}

/** What a stream is written to before it becomes this file: another name for each process, as it may take long. */
export function partialOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.${process.pid}`)
}

/**
 * Makes a file, or puts another in its place, as `replaceFile` does, but without fsync(2). `fill` writes to the stream, ends it, and
 * resolves when all is written; what it resolves to is the result. After an error nothing is left.
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
