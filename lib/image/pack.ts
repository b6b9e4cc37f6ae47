import { type BigIntStats, constants, createReadStream, openSync, readFileSync, readlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate } from 'node:timers/promises'
import { type Header, pack as tarPack, type Pack } from 'tar-stream'
import { openFile } from '../common/descriptor.ts'
import { MinilabError } from '../common/errors.ts'
import { replaceFileBy } from '../common/replace-file.ts'
import { fileError } from './error.ts'
import { type LayerInfo, measure, newLayerInfo } from './layer-info.ts'
import { belongsToFile, isOpaque, isWhiteout, leansOnLower } from './overlay.ts'
import { OPAQUE, WHITEOUT, xattrRecord } from './tar-names.ts'
import { deviceNumbers, FILE_TYPES, type TreeFile, walk } from './tree.ts'
import { readXattrs } from './xattr.ts'

interface PackOptions {
  overlay: boolean
  owner?: 'root'
}

/**
 * Packs a tree as a layer: a sorted tar, with the same bytes for the same tree. `out` is a stream, or the path of a file that
 * appears only when it is complete. With `overlay` the tree is an upper directory of overlayfs, and its whiteouts and opaque
 * directories are converted to those of the OCI (tar-names.ts). Times are kept to the second. With `owner: 'root'` everything
 * belongs to root, as in an image; in the store, files that a user made belong to that user.
 *
 * Throws a usage error for what a layer cannot express, a MinilabError (machine) if a file cannot be read or written.
 */
export async function packLayer(
  dir: string,
  out: Writable | string,
  options: PackOptions,
): Promise<LayerInfo> {
  if (typeof out !== 'string') return packTo(dir, out, options)
  try {
    return await replaceFileBy(out, stream => packTo(dir, stream, options))
  } catch (error) {
    throw fileError(`write ${out}`, error)
  }
}

async function packTo(dir: string, out: Writable, options: PackOptions): Promise<LayerInfo> {
  const tar = tarPack()
  const info = newLayerInfo()
  // if one side fails, the stream between them is destroyed with its error, and both promises settle
  const filling = fill(tar, dir, options, info).catch((error: Error) => tar.destroy(error))
  try {
    await pipeline(measure(tar as AsyncIterable<Buffer>, info), out)
  } catch (error) {
    throw fileError(`pack ${dir}`, error)
  } finally {
    await filling
  }
  return info
}

type Entry = Partial<Omit<Header, 'pax'>> & Pick<Header, 'name' | 'type'> & { pax?: Record<string, string> }

async function fill(tar: Pack, dir: string, { overlay, owner }: PackOptions, info: LayerInfo): Promise<void> {
  const firstNames = new Map<string, string>()
  for (const file of walk(dir)) {
    if (owner === 'root') Object.assign(file.stat, { uid: 0n, gid: 0n })
    for (const entry of entriesFor(file, overlay, firstNames, info.notes)) {
      await (entry.size ? addFile(tar, entry, file.at) : addEmpty(tar, entry))
      info.entries++
    }
  }
  tar.finalize()
}

/** The tar entries of one file: usually one, none for a socket, two for an opaque directory. */
function* entriesFor(
  { path, at, stat }: TreeFile,
  overlay: boolean,
  firstNames: Map<string, string>,
  notes: string[],
): Generator<Entry> {
  const name = basename(path)
  if (name.startsWith(WHITEOUT))
    throw new MinilabError(
      'usage',
      `${path}: a name that begins with ${WHITEOUT} would hide a file in a layer`,
      'rename it',
    )
  const marker = (marked: string): Entry => ({ name: marked, type: 'file', ...ownerAndTime(stat) })
  if (overlay && isWhiteout(stat)) return yield marker(join(dirname(path), WHITEOUT + name))

  const type = FILE_TYPES.get(Number(stat.mode) & constants.S_IFMT)
  if (type === undefined || type === 'socket') {
    notes.push(`${path}: left out: a socket is useful only to the process that made it`)
    return
  }
  const xattrs = readXattrs(at)
  const elsewhere = overlay && leansOnLower(xattrs)
  if (elsewhere)
    throw new MinilabError(
      'usage',
      `${path}: part of it is still in a lower layer (${elsewhere})`,
      'mount the overlay with redirect_dir=off,metacopy=off',
    )

  // with the bits of the file type, because tar-stream takes 0 for "none given"
  const entry: Entry = { name: path, type, mode: Number(stat.mode), ...ownerAndTime(stat) }
  if (type === 'directory') entry.name = `${path || '.'}/`
  if (type === 'symlink') entry.linkname = readlinkSync(at)
  if (type === 'character-device' || type === 'block-device') {
    const { major, minor } = deviceNumbers(stat.rdev)
    Object.assign(entry, { devmajor: major, devminor: minor })
  }
  if (type === 'file') {
    const inode = `${stat.dev}:${stat.ino}`
    const first = firstNames.get(inode)
    if (first !== undefined) return yield { ...entry, type: 'link', linkname: first }
    if (stat.nlink > 1n) firstNames.set(inode, path)
    entry.size = Number(stat.size)
  }
  for (const [xattr, value] of xattrs) {
    if (belongsToFile(xattr)) entry.pax = { ...entry.pax, ...xattrRecord(xattr, value) }
  }
  yield entry
  if (overlay && type === 'directory' && isOpaque(xattrs)) yield marker(join(path, OPAQUE))
}

/** Owner and time of an entry; also as PAX records if tar-stream's fields are too small: ids of 18 bits, seconds from 1970 to 2038. */
function ownerAndTime(stat: BigIntStats): Pick<Entry, 'uid' | 'gid' | 'mtime' | 'pax'> {
  const seconds = stat.mtimeNs / 1_000_000_000n
  const fields = [
    ['uid', stat.uid, 0o777777n],
    ['gid', stat.gid, 0o777777n],
    ['mtime', seconds, 0x7fffffffn],
  ] as const
  const beyond = fields.filter(([, value, most]) => value < 0n || value > most)
  return {
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    mtime: new Date(beyond.some(([key]) => key === 'mtime') ? 0 : 1000 * Number(seconds)),
    ...(beyond.length && { pax: Object.fromEntries(beyond.map(([key, value]) => [key, String(value)])) }),
  }
}

async function addEmpty(tar: Pack, entry: Entry): Promise<void> {
  tar.entry(entry, '')
  await setImmediate() // let the reader keep up: tar-stream queues empty entries without limit
}

const AT_ONCE = 1 << 20
const NO_LINK = constants.O_RDONLY | constants.O_NOFOLLOW

async function addFile(tar: Pack, entry: Entry, path: string): Promise<void> {
  const { size = 0 } = entry
  if (size <= AT_ONCE) {
    const content = readWhole(path)
    return new Promise((added, failed) => {
      tar.entry(entry, content, error => (error ? failed(error) : added()))
    })
  }
  try {
    const fd = openSync(path, NO_LINK)
    await pipeline(createReadStream('', { fd, end: size - 1 }), tar.entry(entry)) // closes fd
  } catch (error) {
    if (!(error instanceof Error) || error.message !== 'Size mismatch') throw error
    throw new MinilabError(
      'usage',
      `${entry.name} shrank while it was packed`,
      'stop what writes to it, then try again',
    )
  }
}

function readWhole(path: string): Buffer {
  using file = openFile(path, NO_LINK)
  return readFileSync(file.fd)
}
