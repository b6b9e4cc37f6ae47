import { unlessGone } from '../kernel/process/procfs.ts'
import { randomHex } from '../kernel/process/random.ts'
import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { codeOf } from '../common/error-code.ts'
import { MinilabError } from '../common/errors.ts'

/** The file types by their bits of st_mode (inode(7)), named as in a tar. */
export const FILE_TYPES = new Map([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFCHR, 'character-device'],
  [constants.S_IFBLK, 'block-device'],
  [constants.S_IFIFO, 'fifo'],
  [constants.S_IFSOCK, 'socket'],
] as const)

/** One file of a tree. */
export interface TreeFile {
  /** its path from the root of the tree; the root's is '' */
  path: string
  /** a path that opens it, valid until the walk continues */
  at: string
  stat: BigIntStats
}

/** A directory of the walk: the names in it that are still to come, and a short path to it. */
interface Open {
  path: string
  names: string[]
  near: ReturnType<typeof shorten<string>>
}

/**
 * Yields every file of a tree, the root first, a directory before its content, names sorted; symbolic links are not followed.
 * Synchronous like all of lib/image: libuv's worker threads may be in another mount namespace than this thread. Not recursive:
 * an untrusted tree may be deeper than our stack. Throws a usage error at a name that is not UTF-8, because Node would change
 * it.
 */
export function* walk(dir: string): Generator<TreeFile> {
  const open: Open[] = []
  const enter = (path: string, at: string) => {
    const near = shorten(at)
    const here: Open = { path, names: [], near }
    open.push(here) // before anything that may fail, because the end closes all that are in here
    here.names = readdirSync(near.at).sort().toReversed()
  }
  try {
    yield { path: '', at: `${dir}/.`, stat: lstatSync(`${dir}/.`, { bigint: true }) }
    enter('', dir)
    for (let here; (here = open.at(-1)) !== undefined;) {
      const name = here.names.pop()
      if (name === undefined) {
        open.pop()?.near.close()
        continue
      }
      if (name.includes('\uFFFD'))
        throw new MinilabError('usage', `a name in ${here.path || dir} is not UTF-8: "${name}"`, 'rename it')
      const path = here.path ? `${here.path}/${name}` : name
      const at = `${here.near.at}/${name}`
      const stat = lstatSync(at, { bigint: true })
      yield { path, at, stat }
      if (stat.isDirectory()) enter(path, at)
    }
  } finally {
    for (const { near } of open) near.close()
  }
}

/**
 * Removes a file or a whole tree, without following links; does nothing if it does not exist, and goes on where another process removes
 * the same one. One descriptor is enough for any depth: a directory that is too deep for a path is moved to the top and removed there.
 */
export function removeTree(path: string | Buffer): void {
  for (let tries = 1; ; tries++)
    try {
      return removeOnce(path)
    } catch (error) {
      // the other process has moved a directory to the top, where we had been
      if (codeOf(error) !== 'ENOTEMPTY' || tries === MOST_TRIES) throw error
    }
}
const MOST_TRIES = 100

function removeOnce(path: string | Buffer): void {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return
  if (!stat.isDirectory()) return unlessGone(() => unlinkSync(path))
  const makeOurs = (at: string | Buffer, mode: number) => {
    // for anyone but root, a directory's entries can only be removed if its mode lets the owner write
    if ((mode & 0o700) !== 0o700) unlessGone(() => chmodSync(at, 0o700))
  }
  makeOurs(path, stat.mode)
  const near = unlessGone(() => shorten(path))
  if (!near) return
  // as bytes, because a name need not be UTF-8
  const enter = (at: Buffer) => ({
    at,
    names: unlessGone(() => readdirSync(at, { encoding: 'buffer' })) ?? [],
  })
  const inside = (at: Buffer, name: Buffer | string) =>
    Buffer.concat([at, Buffer.from('/'), Buffer.from(name)])
  try {
    const top = enter(Buffer.from(near.at))
    const open = [top]
    for (let here; (here = open.at(-1)) !== undefined;) {
      const name = here.names.pop()
      if (name === undefined) {
        open.pop()
        const { at } = here
        if (here !== top) unlessGone(() => rmdirSync(at))
        continue
      }
      const found = inside(here.at, name)
      const stat = lstatSync(found, { throwIfNoEntry: false })
      if (!stat) continue
      if (!stat.isDirectory()) {
        unlessGone(() => unlinkSync(found))
        continue
      }
      makeOurs(found, stat.mode)
      if (found.length - top.at.length <= LONGEST_PATH) {
        open.push(enter(found))
        continue
      }
      const moved = Buffer.from(`.${randomHex(16)}`)
      unlessGone(() => renameSync(found, inside(top.at, moved)))
      top.names.push(moved)
    }
  } finally {
    near.close()
  }
  unlessGone(() => rmdirSync(path))
}

/**
 * The longest path that we use before we start from a descriptor instead: the kernel takes no path longer than PATH_MAX, 4096
 * bytes.
 */
const LONGEST_PATH = 400

/** A path to a directory that leaves room for names after it: a long one becomes the path of an open descriptor. */
function shorten<P extends string | Buffer>(dir: P): { at: P | string; close: () => void } {
  if (dir.length < LONGEST_PATH) return { at: dir, close: () => {} }
  const fd = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW)
  return { at: `/proc/self/fd/${fd}`, close: () => closeSync(fd) }
}

/** Major and minor number of a device, as stat(2) packs them (gnu_dev_major(3)). */
export function deviceNumbers(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  }
}

/** The device number that mknod(2) takes (new_encode_dev in the kernel's linux/kdev_t.h). */
export function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0
}
