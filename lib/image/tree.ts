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
import { UsageError } from '../kernel/errors.ts'

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

/**
 * Every file of a tree, the root first, a directory before what is in it, names sorted; symbolic links are not
 * followed. Synchronous, as all of lib/image: libuv's workers may be in another mount namespace than this thread.
 * Throws a UsageError at a name that is not UTF-8 (Node would spell it differently).
 */
export function* walk(dir: string): Generator<TreeFile> {
  yield { path: '', at: `${dir}/.`, stat: lstatSync(`${dir}/.`, { bigint: true }) }
  yield* below('', dir)
}

function* below(path: string, dir: string): Generator<TreeFile> {
  const near = shorten(dir)
  try {
    for (const name of readdirSync(near.at).sort()) {
      if (name.includes('\uFFFD'))
        throw new UsageError(`a name in ${path || dir} is not UTF-8: "${name}"`, 'rename it')
      const file = path ? `${path}/${name}` : name
      const at = `${near.at}/${name}`
      const stat = lstatSync(at, { bigint: true })
      yield { path: file, at, stat }
      if (stat.isDirectory()) yield* below(file, at)
    }
  } finally {
    near.close()
  }
}

/** Removes a file or a whole tree, however deep, links not followed; nothing where there is nothing. */
export function removeTree(path: string | Buffer): void {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat) return
  if (!stat.isDirectory()) return unlinkSync(path)
  // without root, a directory gives up its entries only to an owner who may write in it
  if ((stat.mode & 0o700) !== 0o700) chmodSync(path, 0o700)
  const near = shorten(path)
  try {
    // bytes, because a name need not be UTF-8
    for (const name of readdirSync(near.at, { encoding: 'buffer' })) {
      removeTree(Buffer.concat([Buffer.from(near.at), Buffer.from('/'), name]))
    }
  } finally {
    near.close()
  }
  rmdirSync(path)
}

/**
 * Another path to a directory, with room after it: the kernel takes no path above PATH_MAX (4096 bytes), yet a tree
 * may be deeper, so that a long path goes on from an open descriptor.
 */
function shorten<P extends string | Buffer>(dir: P): { at: P | string; close: () => void } {
  if (dir.length < 1000) return { at: dir, close: () => {} }
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
