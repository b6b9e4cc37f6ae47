import { sha256 } from '../common/hash.ts'
import { constants, readlinkSync, readSync } from 'node:fs'
import { openFile } from '../common/descriptor.ts'
import { belongsToFile, isOpaque } from './overlay.ts'
import { deviceNumbers, FILE_TYPES, type TreeFile, walk } from './tree.ts'
import { readXattrs } from './xattr.ts'

/** What is compared of a file of a tree: everything except times. */
export interface TreeEntry {
  /** relative to the root of the tree, whose own path is '' */
  path: string
  type: string
  /** permission bits with setuid, setgid and sticky, in octal: '0755' */
  mode: string
  uid: number
  gid: number
  /** size in bytes and hash of a regular file */
  size?: number
  sha256?: string
  /** for a file with several names in the tree: the first of them */
  sameAs?: string
  /** of a symbolic link */
  target?: string
  /** of a device: 'major:minor' */
  rdev?: string
  /** for a directory on overlayfs: it hides the lower one */
  opaque?: true
  /** extended attributes by name, values in base64 */
  xattrs?: Record<string, string>
}

/**
 * The manifest of a tree and its sha256 ('sha256:…'): equal hashes mean equal trees, except for times. Overlayfs's own extended
 * attributes are left out, but opaque directories are marked.
 */
export function treeDigest(dir: string): { hash: string; entries: TreeEntry[] } {
  const firstNames = new Map<string, string>()
  const entries = Array.from(walk(dir), file => describe(file, firstNames))
  const hash = sha256()
  for (const entry of entries) hash.update(JSON.stringify(entry) + '\n')
  return { hash: `sha256:${hash.digest('hex')}`, entries }
}

function describe({ path, at, stat }: TreeFile, firstNames: Map<string, string>): TreeEntry {
  const mode = Number(stat.mode)
  const entry: TreeEntry = {
    path,
    type: FILE_TYPES.get(mode & constants.S_IFMT) ?? 'unknown',
    mode: '0' + (mode & 0o7777).toString(8),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
  }
  if (stat.isFile()) {
    entry.size = Number(stat.size)
    entry.sha256 = sha256File(at)
    const inode = `${stat.dev}:${stat.ino}`
    const first = firstNames.get(inode)
    if (first !== undefined) entry.sameAs = first
    else if (stat.nlink > 1n) firstNames.set(inode, path)
  }
  if (stat.isSymbolicLink()) entry.target = readlinkSync(at)
  if (stat.isBlockDevice() || stat.isCharacterDevice()) {
    const { major, minor } = deviceNumbers(stat.rdev)
    entry.rdev = `${major}:${minor}`
  }
  const xattrs = readXattrs(at)
  if (stat.isDirectory() && isOpaque(xattrs)) entry.opaque = true
  const own = [...xattrs].filter(([name]) => belongsToFile(name))
  if (own.length)
    entry.xattrs = Object.fromEntries(own.map(([name, value]) => [name, value.toString('base64')]))
  return entry
}

function sha256File(path: string): string {
  using file = openFile(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  const hash = sha256()
  const buffer = Buffer.allocUnsafe(1 << 20)
  for (let n; (n = readSync(file.fd, buffer)) > 0;) hash.update(buffer.subarray(0, n))
  return hash.digest('hex')
}
