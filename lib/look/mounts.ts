import { certain } from '../common/certain.ts'
import { codeOf } from '../common/error-code.ts'
import { lstatSync, readdirSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { type Mount, mountinfo } from '../kernel/mount/mountinfo.ts'
import { isGone, namespaceInode } from '../kernel/process/procfs.ts'
import { type Readable, reading } from './readable.ts'
import type { Content, Layer, Mounts, MountView, Overlay } from './snapshot-shape.ts'

/** The mounts that a process sees, as a tree: proc_pid_mountinfo(5). Throws ENOENT, ESRCH or EINVAL if it has ended. */
export function mountsOf(pid: number): Readable<Mounts> {
  return reading(`/proc/${pid}/mountinfo`, () => {
    const mounts = mountinfo(pid)
    const views = new Map(mounts.map(mount => [mount.id, view(mount)]))
    const roots: MountView[] = []
    for (const { id, parent } of mounts) {
      const mount = certain(views.get(id))
      const below = parent === id ? undefined : views.get(parent)
      if (below) below.children.push(mount)
      else roots.push(mount)
      // the parent of a second mount on the same directory is the first one
      if (below?.target === mount.target) below.covered = true
    }
    const shared = reading(
      `/proc/${pid}/ns/mnt`,
      () => namespaceInode(pid, 'mnt') === namespaceInode('self', 'mnt'),
    )
    return {
      roots,
      count: mounts.length,
      shared,
      overlays: mounts.filter(({ type }) => type === 'overlay').map(overlay),
    }
  })
}

function view({ id, target, type, source, root, options, propagation }: Mount): MountView {
  // rw is not worth showing; the ro of the file system itself (superOptions) is a different flag
  const flags = options.filter(flag => flag !== 'rw')
  return { id, target, type, source, root, flags, propagation, covered: false, children: [] }
}

/** The layers of an overlay, from its mount options: Documentation/filesystems/overlayfs.rst. */
function overlay({ target, superOptions }: Mount): Overlay {
  const values = (name: string) =>
    superOptions.flatMap(option =>
      option.startsWith(`${name}=`) ? unoctal(option.slice(name.length + 1)) : [],
    )
  // since Linux 6.8 each layer may have its own option; `::` precedes layers that contain only data
  const lower = [...values('lowerdir').flatMap(layerPaths), ...values('lowerdir+'), ...values('datadir+')]
  const [upper] = values('upperdir').map(unescape)
  const [work] = values('workdir').map(unescape)
  return {
    target,
    lower: lower.map(path => ({ path, content: null })),
    upper: upper === undefined ? null : ({ path: upper, content: contentOf(upper, lower) } satisfies Layer),
    work: work ?? null,
  }
}

/** seq_show_option(), linux/seq_file.h: the kernel writes characters that would end an option or a line in octal. */
const unoctal = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))
/** In a path, a colon is escaped with a backslash. */
const layerPaths = (text: string) => (text.match(/(\\.|[^:\\])+/g) ?? []).map(unescape)
const unescape = (text: string) => text.replace(/\\(.)/g, '$1')

const MOST_ENTRIES = 2000 // entries to count each time that a viewer looks
const SOME = 6

/**
 * What is in the upper directory, by the path that was given to mount(2). That path is valid in another mount namespace,
 * usually ours.
 */
function contentOf(path: string, lower: readonly string[]): Readable<Content> {
  if (!isAbsolute(path))
    return { notReadable: `${path}: a relative path: only the process that mounted it can follow it` }
  return reading(path, () => {
    const content: Content = { entries: 0, bytes: 0, whiteouts: 0, more: false, some: [] }
    try {
      count(path, '/', lower, content)
    } catch (error) {
      if (isGone(error)) return { notReadable: `${path}: there is no such directory in our mount namespace` }
      throw error
    }
    return content
  })
}

/** Counts what is in a directory. Throws if it cannot be read; if only a directory below it cannot, sets `more`. */
function count(top: string, folder: string, lower: readonly string[], content: Content): void {
  for (const name of readdirSync(join(top, folder))) {
    if (content.entries >= MOST_ENTRIES) {
      content.more = true
      return
    }
    const path = join(folder, name)
    try {
      const entry = lstatSync(join(top, path))
      content.entries++
      if (entry.isDirectory()) {
        count(top, path, lower, content)
        continue
      }
      const whiteout = entry.isCharacterDevice() && entry.rdev === 0
      if (whiteout) content.whiteouts++
      if (entry.isFile()) content.bytes += entry.size
      if (content.some.length < SOME)
        content.some.push({ path, what: whiteout ? 'whiteout' : isIn(lower, path) ? 'copied up' : 'new' })
    } catch (error) {
      const code = codeOf(error)
      if (code === 'EACCES') content.more = true
      else if (!isGone(error)) throw error // otherwise it has been removed by now
    }
  }
}

/** Whether a layer has a file of this name; a layer that we cannot read counts as not having it. */
function isIn(layers: readonly string[], path: string): boolean {
  return layers.some(layer => {
    try {
      return lstatSync(join(layer, path), { throwIfNoEntry: false }) !== undefined
    } catch (error) {
      const code = codeOf(error)
      if (code === 'EACCES' || code === 'ENOTDIR' || code === 'ELOOP') return false
      throw error
    }
  })
}
