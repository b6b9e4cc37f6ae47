import { randomBytes, randomInt } from 'node:crypto'
import { lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { certain } from '../../lib/common/certain.ts'
import { copy } from '../../chapters/5-layers/changes.ts'
import { treeDigest, type TreeEntry } from '../../lib/image/tree-digest.ts'
import { writeXattr } from '../../lib/image/xattr.ts'
import { MNT_DETACH, MS_BIND } from '../../lib/kernel/syscalls/constants.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'

// An image, what a container changes in it, and how the two trees then differ. Each run has other names, so that no list
// of changes can be known in advance.

/** A run's own names for the files that are written as `@gone` here. */
type Names = (path: string) => string

const WORDS =
  'acorn alder apple ash aspen beech birch cedar cherry clover elder elm fern fig flax hazel heath holly ivy larch lilac lime maple mint moss oak olive palm pear pine plum poppy reed rose rush sage sloe thyme vine violet walnut wheat willow yew'

function newNames(): Names {
  const left = WORDS.split(' ')
  const chosen = new Map<string, string>()
  const nameOf = (word: string) => {
    const name = chosen.get(word) ?? certain(left.splice(randomInt(left.length), 1)[0])
    chosen.set(word, name)
    return name
  }
  return path => path.replaceAll(/[a-z-]+/g, nameOf)
}

interface Plan {
  image: string
  script: string[]
  /** where upper gets a device, and a directory that is marked but not opaque: `disguised` makes them */
  devices: string[]
  marked: string[]
}

/**
 * Makes an image in a folder: a copy of another image, with more in it. Returns its directory, and commands that change much of
 * it. `elsewhere`: a directory of the host, to which a link in the container leads.
 */
export function planChanges(from: string, folder: string, elsewhere: string): Plan {
  const names = newNames()
  const tag = randomBytes(3).toString('hex')
  const image = copy(from, join(folder, 'diff'))
  // at two depths: a mistake with paths may show at one of them only
  const bases = [`srv-${tag}`, `opt-${tag}/a-${tag}/b`]
  for (const base of bases) fill(join(image, base), names)
  writeFileSync(join(image, `old-${tag}`), 'image\n')
  writeFileSync(join(elsewhere, 'of-the-host'), 'host\n')
  const change = (line: string) =>
    line.replaceAll(/@([a-z0-9/-]+)/g, (_, path: string) => names(path)).replace('ELSEWHERE', elsewhere)
  const everywhere = (word: string) => bases.map(base => join(base, names(word)))
  return {
    image,
    devices: everywhere('device'),
    marked: everywhere('merged'),
    script: [
      `rm /old-${tag} && echo new > /new-${tag}`,
      'echo VARIANT=changed >> /etc/os-release',
      ...bases.flatMap(base => [`cd /${base}`, ...CHANGES.map(change)]),
    ],
  }
}

const FILES =
  'changed mode same-bytes emptied gone to-dir gone-dir/1 gone-dir/sub/2 to-file/1 to-file/sub/2 real/x real/deep/y same/same opaque/kept opaque/gone opaque/gone-dir/3 opaque/sub/kept opaque/sub/gone opaque/sub/deep/kept opaque/sub/deep/gone opaque2/stays merged/stays merged/sub/gone'
const LINKS = { 'to-real': 'real', 'to-real-dir': 'real', dangling: 'nowhere', other: 'one' }

function fill(dir: string, names: Names): void {
  for (const file of FILES.split(' ').map(names)) {
    mkdirSync(join(dir, dirname(file)), { recursive: true })
    writeFileSync(join(dir, file), 'image\n')
  }
  for (const [link, target] of Object.entries(LINKS)) symlinkSync(names(target), join(dir, names(link)))
}

/** All kinds of change. */
const CHANGES = [
  'echo more >> @changed',
  'chmod 600 @mode',
  'echo image > @same-bytes',
  ': > @emptied',
  'rm @gone',
  'rm -r @gone-dir',
  'rm @same/same',
  // of another type than before
  'rm @to-dir && mkdir -p @to-dir/sub && echo 1 > @to-dir/1 && echo 2 > @to-dir/sub/2',
  'rm -r @to-file && echo 1 > @to-file',
  'rm @to-real && echo 1 > @to-real',
  'rm @to-real-dir && mkdir -p @to-real-dir/deep && echo 1 > @to-real-dir/x && echo 2 > @to-real-dir/deep/y',
  'rm @dangling && echo 1 > @dangling',
  'ln -sfn @two @other',
  // deleted, and made again with some of the names
  'rm -r @opaque && mkdir -p @opaque/sub/deep',
  'for f in @opaque/kept @opaque/new @opaque/sub/kept @opaque/sub/deep/kept; do echo mine > $f; done',
  // in both
  'chmod 700 @merged && echo 1 > @merged/sub/new && rm @merged/sub/gone',
  // added
  'mkdir -p @added/sub/empty && echo 1 > @added/sub/1 && : > @added/nothing',
  ': > "@spaced name" && echo 1 > .@hidden',
  'echo 1 > @device',
  // links to nothing, to a whiteout, to a directory, and to one of the host
  'ln -s @nowhere @link && ln -s @gone @link-gone && ln -s @added @link-added && ln -s "ELSEWHERE" @link-out',
]

/**
 * Does something while upper has what our container cannot make there. Character devices: /dev/null, bind-mounted, as mknod(2)
 * of those needs real root. Directories whose user.overlay.opaque is x: whiteouts in them may be attributes
 * (overlayfs.rst), and they hide nothing.
 */
export function disguised<T>(upper: string, { devices, marked }: Plan, act: () => T): T {
  for (const dir of marked) writeXattr(join(upper, dir), 'user.overlay.opaque', Buffer.from('x'))
  const bound: string[] = []
  try {
    for (const path of devices.map(device => join(upper, device))) {
      now.mount('/dev/null', path, null, MS_BIND, null)
      bound.push(path)
    }
    return act()
  } finally {
    for (const path of bound) now.umount2(path, MNT_DETACH)
  }
}

/** What is in a tree, by path; what is mounted on it is left out. */
export type Files = ReadonlyMap<string, Omit<TreeEntry, 'path'> & { written?: string }>

export function filesOf(tree: string, names: readonly string[]): Files {
  const here = names.flatMap(name => {
    const stat = lstatSync(join(tree, name), { throwIfNoEntry: false })
    if (!stat?.isDirectory()) return stat ? [[name, FILE] as const] : []
    const { entries } = treeDigest(join(tree, name))
    return entries.map(({ path, ...rest }) => {
      const at = join(name, path)
      // writing the same bytes again changes nothing else
      const written = String(lstatSync(join(tree, at), { bigint: true }).mtimeNs)
      return [at, { ...rest, written }] as const
    })
  })
  return new Map(here)
}

/** A file at the top is added or deleted, never changed. */
const FILE = { type: 'file', mode: '', uid: 0, gid: 0 }

/** The names at the image's top below which a container has changed something, and on which nothing is mounted. */
export function changedNames(pid: number, upper: string): string[] {
  const mounted = mountinfo(pid).map(({ target }) => target)
  return readdirSync(upper).filter(name => !mounted.includes(`/${name}`))
}

/** What differs between two trees, in the format of `docker diff`: read from the visible files, and not from an upper directory. */
export function differences(before: Files, after: Files): string[] {
  const found: string[] = []
  for (const [path, entry] of after) {
    const old = before.get(path)
    const both = [entry.type, old?.type].every(type => type === 'directory')
    if (!old) found.push(`A /${path}`)
    else if (!both && JSON.stringify(entry) !== JSON.stringify(old)) found.push(`C /${path}`)
  }
  const isThere = (path: string) => path === '.' || after.get(path)?.type === 'directory'
  for (const path of before.keys()) if (!after.has(path) && isThere(dirname(path))) found.push(`D /${path}`)
  return found
}
