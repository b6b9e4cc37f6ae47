import { type BigIntStats, constants, fstatSync, lstatSync, readlinkSync, readSync, statSync } from 'node:fs'
import { posix } from 'node:path'
import { openFile } from '../common/descriptor.ts'
import { O_PATH } from '../kernel/syscalls/constants.ts'
import { MinilabError } from '../common/errors.ts'
import { isGone } from '../kernel/process/procfs.ts'
import { Confined } from './confined.ts'
import { codeOf } from '../common/error-code.ts'
import { isOpaque, isWhiteout } from './overlay.ts'
import { readXattrs } from './xattr.ts'

const MOST_LINKS = 40 // path_resolution(7)
const CORRECT = 'correct the image'

/** Something that is mounted in the merged tree: a directory or a file of the host. */
export interface MountedThere {
  destination: string
  source?: string
}

/** What is at a path of the merged tree, and the layers that contribute to it: for a directory there may be several. */
interface Merged {
  stat: BigIntStats
  layers: Confined[]
}

/**
 * The text of a file as a container on these layers would see it: hidden files are absent, and links are followed as if the
 * layers were "/". Nothing outside the layers is read, and only regular files are opened: a FIFO would block, and opening a
 * device may have effects. Returns undefined if there is no such file. `path` as 'etc/passwd'. Throws a usage error if it is
 * not a regular file, or is larger than `most` bytes.
 */
export function readMerged(
  layersTopFirst: readonly string[],
  path: string,
  most: number,
): string | undefined {
  using open = new DisposableStack()
  const layers = layersTopFirst.map(layer => open.use(new Confined(layer)))
  return readFrom(layers, path, most)
}

function readFrom(all: Confined[], path: string, most: number): string | undefined {
  return whileUnchanged(path, () => readOnce(all, path, most))
}

function readOnce(all: Confined[], path: string, most: number): string | undefined {
  const { at, found, rest } = walk(all, path)
  const top = found?.layers[0]
  if (!found || !top) return undefined
  if (found.stat.isDirectory())
    throw new MinilabError('usage', `/${path} of the image is a directory`, CORRECT)
  return rest.length ? undefined : read(top.at(at), path, most)
}

/**
 * Where a path leads in the merged tree, with every symbolic link followed: `/etc/x` for '/var/link/x'. From the first missing
 * name on, the path is kept as written. `mounts`: what is mounted in the tree, at destinations without links; a mount hides what
 * the layers have there. Throws a usage error for a loop of links.
 */
export function resolveMerged(
  layersTopFirst: readonly string[],
  path: string,
  mounts: readonly MountedThere[] = [],
): string {
  using open = new DisposableStack()
  const confined = (folder: string) => open.use(new Confined(folder))
  /** What is mounted at a path: a directory, or something else; undefined if nothing is. */
  const mounted = (at: string): Confined | 'file' | undefined => {
    const mount = mounts.findLast(({ destination }) => destination === `/${at}`)
    if (!mount) return undefined
    const isFolder = statSync(mount.source ?? '', { throwIfNoEntry: false })?.isDirectory()
    return isFolder ? confined(mount.source ?? '') : 'file'
  }
  const layers = layersTopFirst.map(confined)
  const { at, rest } = whileUnchanged(path, () => walk(layers, path, mounted))
  return posix.join('/', at, ...rest)
}

/** What a call says of a path that another process has replaced since we looked: readlink(2) of a file, opendir(3) of a link. */
const CHANGED = new Set(['EINVAL', 'ENOENT', 'ENOTDIR', 'ELOOP'])
const MOST_LOOKS = 100
/** The same, where no call says so. */
class Changed extends Error {}

/** The result of a look at a path. A running container may change its files in the meantime: then we look again. */
function whileUnchanged<T>(path: string, look: () => T): T {
  for (let looks = 1; ; looks++)
    try {
      return look()
    } catch (error) {
      if (!(error instanceof Changed) && !CHANGED.has(codeOf(error) ?? '')) throw error
      if (looks < MOST_LOOKS) continue
      throw new MinilabError(
        'machine',
        `${posix.join('/', path)} of the container changes again and again while minilab looks at it`,
        'end the program that changes it, or try again',
      )
    }
}

/** Follows a path as far as it exists: the path reached, what is there (nothing at the root), and the names that remain. */
function walk(
  all: Confined[],
  path: string,
  mounted: (at: string) => Confined | 'file' | undefined = () => undefined,
): { at: string; found?: Merged; rest: string[] } {
  let links = 0
  let names = path.split('/')
  let [reached, layers]: [string, Confined[]] = ['', all]
  let base = '' // the path of the mount that `layers` are the content of
  let found: Merged | undefined
  const inMount = (at: string) => (base ? at.slice(base.length + 1) : at) // not relative(), which asks for our working directory
  const above = new Map([['', { layers: all, base, found }]])
  for (let name; (name = names.shift()) !== undefined;) {
    if (name === '' || name === '.') continue
    const next = name === '..' ? posix.dirname(`/${reached}`).slice(1) : posix.join(reached, name)
    const known = above.get(next)
    if (known) {
      reached = next
      ;({ layers, base, found } = known)
      continue
    }
    const mount = mounted(next)
    if (mount === 'file') return { at: next, rest: names.filter(Boolean) }
    if (mount) {
      ;[reached, layers, base, found] = [next, [mount], next, undefined]
      above.set(next, { layers, base, found })
      continue
    }
    const there = lookUp(layers, inMount(next))
    const top = there?.layers[0]
    if (!there || !top) return { at: reached, rest: [name, ...names] }
    if (there.stat.isSymbolicLink()) {
      if (++links > MOST_LINKS)
        throw new MinilabError(
          'usage',
          `${posix.join('/', path)} of the image leads through too many symbolic links`,
          CORRECT,
        )
      const target = targetOf(top.at(inMount(next)))
      if (target === undefined) return { at: reached, rest: [name, ...names] }
      names = [...target.split('/'), ...names]
      if (target.startsWith('/')) [reached, layers, base, found] = ['', all, '', undefined]
      continue
    }
    ;[reached, found] = [next, there]
    if (!there.stat.isDirectory()) return { at: reached, found, rest: names.filter(Boolean) }
    layers = there.layers
    above.set(next, { layers, base, found })
  }
  return { at: reached, found, rest: [] }
}

/**
 * Looks up one name in a merged directory: Documentation/filesystems/overlayfs.rst, "Upper and Lower", "whiteouts and opaque
 * directories".
 */
function lookUp(layers: readonly Confined[], path: string): Merged | undefined {
  let found: Merged | undefined
  for (const layer of layers) {
    const at = layer.at(path)
    const stat = statOf(at)
    if (!stat) continue
    if (isWhiteout(stat) || (found && !stat.isDirectory())) break
    found ??= { stat, layers: [] }
    found.layers.push(layer)
    if (!stat.isDirectory() || isOpaque(readXattrs(`${at}/.`))) break
  }
  return found
}

/**
 * The target of a symbolic link. Undefined if a link of procfs leads nowhere: in a container's proc, `self` exists only for its
 * own processes.
 */
function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link)
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** The stat of a path. Undefined if nothing is there, or if nothing can be: a name has at most 255 bytes, a path 4095. */
function statOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false })
  } catch (error) {
    if (codeOf(error) === 'ENAMETOOLONG') return undefined
    throw error
  }
}

function read(at: string, path: string, most: number): string {
  // hold the file open: its name could come to mean another file at any moment
  using held = openFile(at, O_PATH | constants.O_NOFOLLOW)
  try {
    const stat = fstatSync(held.fd)
    if (stat.isSymbolicLink()) throw new Changed(path) // a walk does not end at a link
    if (!stat.isFile())
      throw new MinilabError('usage', `/${path} of the image is not a regular file`, CORRECT)
    if (stat.size > most)
      throw new MinilabError('usage', `/${path} of the image is larger than ${most} bytes`, CORRECT)
    using file = openFile(`/proc/self/fd/${held.fd}`, 'r')
    const text = Buffer.alloc(stat.size)
    return text.toString('utf8', 0, readSync(file.fd, text))
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error
    throw new MinilabError('usage', `/${path} of the image is not readable for us`, CORRECT)
  }
}
