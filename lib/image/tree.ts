import {
  type BigIntStats,
  chmodSync,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { MinilabError } from '../common/errors.ts'

/** The types of files by the bits of st_mode that say so (inode(7)), named as in a tar. */
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
  /** a path by which it can be opened now, until the walk goes on */
  at: string
  stat: BigIntStats
}

/** A directory that is being gone through: the names in it that are still to come, and a short path to it. */
interface Open<P extends string | Buffer> {
  path: P
  names: P[]
  near: { at: P | string; close: () => void }
}

/**
 * Every file of a tree, the root first, a directory before what is in it, names sorted; symbolic links are not
 * followed. Synchronous, as all of lib/image: libuv's workers may be in another mount namespace than this thread.
 * Without recursion: a stranger's tree may be deeper than our stack. Throws a usage error at a name that is not UTF-8
 * (Node would spell it differently).
 */
export function* walk(dir: string): Generator<TreeFile> {
  const open: Open<string>[] = []
  const enter = (path: string, at: string) => {
    const near = shorten(at)
    const here: Open<string> = { path, names: [], near }
    open.push(here) // before what may fail: it is closed at the end
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

/** Removes a file or a whole tree, however deep, links not followed; nothing where there is nothing. */
export function removeTree(path: string | Buffer): void {
  const open: Open<Buffer>[] = []
  /** Removes a file, or opens a directory, to be removed when it is empty. */
  const remove = (at: Buffer) => {
    const stat = lstatSync(at, { throwIfNoEntry: false })
    if (!stat) return
    if (!stat.isDirectory()) return unlinkSync(at)
    // without root, a directory gives up its entries only to an owner who may write in it
    if ((stat.mode & 0o700) !== 0o700) chmodSync(at, 0o700)
    const near = shorten(at)
    const here: Open<Buffer> = { path: at, names: [], near }
    open.push(here)
    // bytes, because a name need not be UTF-8
    here.names = readdirSync(near.at, { encoding: 'buffer' })
  }
  try {
    remove(Buffer.from(path))
    for (let here; (here = open.at(-1)) !== undefined;) {
      const name = here.names.pop()
      if (name) remove(Buffer.concat([Buffer.from(here.near.at), Buffer.from('/'), name]))
      else {
        open.pop()?.near.close()
        rmdirSync(here.path)
      }
    }
  } finally {
    for (const { near } of open) near.close()
  }
}

/**
 * Another path to a directory, with room after it: the kernel takes no path above PATH_MAX (4096 bytes), yet a tree
 * may be deeper, so that a long path goes on from an open descriptor.
 */
function shorten<P extends string | Buffer>(dir: P): { at: P | string; close: () => void } {
  if (dir.length < 400) return { at: dir, close: () => {} }
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
