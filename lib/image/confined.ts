import { chmodSync, closeSync, constants, mkdirSync, openSync } from 'node:fs'
import { posix } from 'node:path'
import { certain } from '../common/certain.ts'
import { MinilabError } from '../common/errors.ts'
import { now } from '../kernel/syscalls/now.ts'
import {
  OPEN_HOW_SIZE,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from '../kernel/syscalls/constants.ts'
import { SyscallError } from '../kernel/syscalls/syscall-error.ts'

const PATH_MAX = 4096
const KEPT_OPEN = 16

/**
 * A directory whose content is untrusted: names come from a tar, and symbolic links may lead anywhere. The kernel
 * resolves every path as if the directory were "/" (openat2(2), RESOLVE_IN_ROOT), and each operation uses one name in a
 * directory that is then open, so nothing can lead outside.
 */
export class Confined implements Disposable {
  readonly #root: number
  /** open directories by path; the most recently used is last */
  readonly #open = new Map<string, number>()

  constructor(dir: string) {
    this.#root = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY)
  }

  [Symbol.dispose](): void {
    this.forget()
    closeSync(this.#root)
  }

  /** Must be called after a directory was removed: its path may come to mean another one. */
  forget(): void {
    for (const fd of this.#open.values()) closeSync(fd)
    this.#open.clear()
  }

  /**
   * A path that Node's fs functions can use for the file `path` ('a/b'; '' is the directory itself). It holds the parent
   * directory open, but only until 16 later calls. The last name is not resolved: use functions that do not follow a link. With
   * `make`, missing parent directories are made with mode 0755. Throws the SyscallError otherwise.
   */
  at(path: string, make = false): string {
    const name = posix.basename(path) || '.'
    const parent = posix.dirname(path)
    const fd = this.#open.get(parent) ?? this.#openDir(parent, make)
    this.#open.delete(parent)
    this.#open.set(parent, fd)
    for (const [oldest, oldFd] of this.#open) {
      if (this.#open.size <= KEPT_OPEN) break
      this.#open.delete(oldest)
      closeSync(oldFd)
    }
    return `/proc/self/fd/${fd}/${name}`
  }

  #openDir(path: string, make: boolean): number {
    const found = this.#resolve(path, make)
    if (found !== undefined) return found
    // Find how many leading names exist. An untrusted path may have thousands, so neither recursion nor testing each in turn
    // will do
    const names = path.split('/')
    let [there, missing] = [0, names.length]
    while (missing - there > 1) {
      const middle = (there + missing) >> 1
      const fd = this.#resolve(names.slice(0, middle).join('/'), true)
      if (fd === undefined) missing = middle
      else {
        closeSync(fd)
        there = middle
      }
    }
    let fd = certain(this.#resolve(names.slice(0, there).join('/') || '.'))
    for (const name of names.slice(there)) {
      const at = `/proc/self/fd/${fd}/${name}`
      try {
        mkdirSync(at)
        chmodSync(at, 0o755)
        const next = openSync(at, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW)
        closeSync(fd)
        fd = next
      } catch (error) {
        closeSync(fd)
        throw error
      }
    }
    return fd
  }

  /** A descriptor for a directory. With `orNone`, undefined if it does not exist. */
  #resolve(path: string, orNone = false): number | undefined {
    const how = { flags: O_PATH | O_DIRECTORY | O_CLOEXEC, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS }
    try {
      return now.openat2(this.#root, path, how, OPEN_HOW_SIZE)
    } catch (error) {
      if (orNone && error instanceof SyscallError && error.code === 'ENOENT') return undefined
      throw error
    }
  }
}

/**
 * The path inside a tree for a name in a tar: relative, without `.` and `..`, which cannot climb above the tree. 'usr/bin' for
 * '/usr//bin/', './usr/bin' and '../usr/bin'; '' for the tree itself. Throws a usage error for a name that no file can have.
 */
export function insidePath(name: string): string {
  const path = posix.join('/', name).replace(/^\/|\/$/g, '')
  const fault = name.includes('\0')
    ? 'has a zero byte'
    : name.includes('\uFFFD')
      ? 'is not UTF-8'
      : Buffer.byteLength(path) >= PATH_MAX
        ? `is longer than a path can be (${PATH_MAX} bytes)`
        : undefined
  if (!fault) return path
  throw new MinilabError('usage', `a name in the tar ${fault}: ${shown(name)}`, 'make the tar again')
}

/** An untrusted name, made safe for one line of a terminal. */
export function shown(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 79)}…` : name)
}
