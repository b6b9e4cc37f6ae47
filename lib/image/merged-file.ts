import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
} from 'node:fs'
import { posix } from 'node:path'
import { O_PATH } from '../kernel/constants.ts'
import { UsageError } from '../kernel/errors.ts'
import { Confined } from './confined.ts'
import { codeOf } from './error.ts'
import { isOpaque, isWhiteout } from './overlay.ts'
import { readXattrs } from './xattr.ts'

const MOST_LINKS = 40 // path_resolution(7)
const CORRECT = 'correct the image, or give numbers'

/** What stands at a path of the merged tree, and the layers that have a part in it: of a directory there may be several. */
interface Merged {
  stat: BigIntStats
  layers: Confined[]
}

/**
 * The text of a file as a container on these layers would see it: what an upper layer hides is not there, and links are
 * followed as if the layers were "/". Nothing outside of them is looked at, and nothing opened but a regular file: a FIFO
 * would wait, and to open a device is to do something. Undefined where there is no such file. `path` as 'etc/passwd'.
 * Throws a UsageError for what is no regular file, or larger than `most` bytes.
 */
export function readMerged(
  layersTopFirst: readonly string[],
  path: string,
  most: number,
): string | undefined {
  const layers: Confined[] = []
  try {
    for (const layer of layersTopFirst) layers.push(new Confined(layer))
    return readFrom(layers, path, most)
  } finally {
    for (const layer of layers) layer.close()
  }
}

function readFrom(all: Confined[], path: string, most: number): string | undefined {
  let links = 0
  let names = path.split('/')
  let [reached, layers] = ['', all]
  const above = new Map([['', all]])
  for (let name; (name = names.shift()) !== undefined;) {
    if (name === '' || name === '.') continue
    const next = name === '..' ? posix.dirname(`/${reached}`).slice(1) : posix.join(reached, name)
    const known = above.get(next)
    if (known) {
      ;[reached, layers] = [next, known]
      continue
    }
    const found = lookUp(layers, next)
    const top = found?.layers[0]
    if (!found || !top) return undefined
    if (found.stat.isSymbolicLink()) {
      if (++links > MOST_LINKS) throw new UsageError(`/${path} of the image is a link without end`, CORRECT)
      const target = readlinkSync(top.at(next))
      names = [...target.split('/'), ...names]
      if (target.startsWith('/')) [reached, layers] = ['', all]
    } else if (found.stat.isDirectory()) {
      ;[reached, layers] = [next, found.layers]
      above.set(next, layers)
    } else return names.some(Boolean) ? undefined : read(top.at(next), path, most)
  }
  throw new UsageError(`/${path} of the image is a directory`, CORRECT)
}

/** One name in a merged directory. Documentation/filesystems/overlayfs.rst, "Upper and Lower", "whiteouts and opaque directories". */
function lookUp(layers: readonly Confined[], path: string): Merged | undefined {
  let found: Merged | undefined
  for (const layer of layers) {
    const at = layer.at(path)
    const stat = lstatSync(at, { bigint: true, throwIfNoEntry: false })
    if (!stat) continue
    if (isWhiteout(stat) || (found && !stat.isDirectory())) break
    found ??= { stat, layers: [] }
    found.layers.push(layer)
    if (!stat.isDirectory() || isOpaque(readXattrs(`${at}/.`))) break
  }
  return found
}

function read(at: string, path: string, most: number): string {
  // a name may come to mean something else at any moment, a descriptor not
  const held = openSync(at, O_PATH | constants.O_NOFOLLOW)
  try {
    const stat = fstatSync(held)
    if (!stat.isFile()) throw new UsageError(`/${path} of the image is no regular file`, CORRECT)
    if (stat.size > most) throw new UsageError(`/${path} of the image is larger than ${most} bytes`, CORRECT)
    const fd = openSync(`/proc/self/fd/${held}`, 'r')
    try {
      const text = Buffer.alloc(stat.size)
      return text.toString('utf8', 0, readSync(fd, text))
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
    throw new UsageError(`/${path} of the image may not be read`, CORRECT)
  } finally {
    closeSync(held)
  }
}
