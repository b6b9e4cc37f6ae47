import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { others } from './5-layers-others.ts'
import { ways } from './5-layers-ways.ts'

const OPTIONS = "options.join(',')"
const MKDIR =
  "    for (const path of [join(folder, 'upper'), join(folder, 'work'), container.rootfs]) mkdirSync(path)\n"
const UPPER = "`upperdir=${escape(join(layers.folder, 'upper'))}`"
const WORK = "`workdir=${escape(join(layers.folder, 'work'))}`"
const ESCAPE = "path.replace(/[\\\\:,]/g, '\\\\$&')"
const CHANGES = "  return changesIn(upper, image, '', false)\n"
const AT = '  const at = join(upper, path)\n'
const FS = 'import { lstatSync, mkdirSync, readdirSync }'
const OPAQUE_NAMES = '[`${path}/`, `${path}/.wh..wh..opq`]'

export const right: RightAnswer[] = [
  {
    task: 'mount',
    name: 'the options in another order, and the directories by mkdir -p',
    edits: [
      [OPTIONS, "options.toReversed().join(',')"],
      ['mkdirSync(path)', 'mkdirSync(path, { recursive: true })'],
    ],
  },
  {
    task: 'mount',
    name: 'the directories made by the child',
    edits: [
      ['    const { folder } = container.layers\n', ''],
      [MKDIR, ''],
      [
        "    tape.mount('overlay'",
        "    const { folder } = layers\n    for (const path of [join(folder, 'upper'), join(folder, 'work'), rootfs]) tape.mkdirat(AT_FDCWD, path, 0o755)\n    tape.mount('overlay'",
      ],
      [FS, 'import { lstatSync, readdirSync }'],
      ['makeFolder, type Part', 'AT_FDCWD, makeFolder, type Part'],
    ],
  },
  {
    task: 'mount',
    name: 'the image as the source, and nodev',
    edits: [
      ["('overlay', rootfs, 'overlay', 0,", "(layers.lower[0]!, rootfs, 'overlay', MS_NODEV,"],
      ['makeFolder, type Part', 'makeFolder, MS_NODEV, type Part'],
    ],
  },
  {
    task: 'mount',
    name: 'workdir by another name',
    edits: [
      [WORK, "`workdir=${escape(join(layers.folder, 'scratch'))}`"],
      ["join(folder, 'work')", "join(folder, 'scratch')"],
    ],
  },
  {
    task: 'marks',
    name: 'with what Docker adds besides',
    edits: [["'userxattr', //", "'userxattr,index=off,metacopy=off', //"]],
  },
  {
    task: 'marks',
    name: 'the option at the beginning',
    edits: [
      ["      'userxattr', // a user namespace may write user.* attributes, and no trusted.*\n", ''],
      [OPTIONS, "['userxattr', 'xino=off', ...options].join()"],
    ],
  },
  {
    task: 'stack',
    name: 'escaped character by character',
    edits: [[ESCAPE, "[...path].map(c => (':,\\\\'.includes(c) ? `\\\\${c}` : c)).join('')"]],
  },
  {
    task: 'stack',
    name: 'escaped in three turns, the backslash first',
    edits: [
      [ESCAPE, String.raw`path.replaceAll('\\', '\\\\').replaceAll(':', '\\:').replaceAll(',', '\\,')`],
    ],
  },
  {
    task: 'stack',
    name: 'everything escaped that is no letter',
    edits: [[ESCAPE, String.raw`path.replace(/[^\w/]/g, '\\$&')`]],
  },
  {
    task: 'stack',
    name: 'a colon as it is where it separates nothing',
    edits: [
      [UPPER, "`upperdir=${join(layers.folder, 'upper').replace(/[\\\\,]/g, '\\\\$&')}`"],
      [WORK, "`workdir=${join(layers.folder, 'work').replace(/[\\\\,]/g, '\\\\$&')}`"],
    ],
  },
  {
    task: 'diff',
    name: 'another order of the lines',
    edits: [[CHANGES, CHANGES.replace('\n', '.sort().reverse()\n')]],
  },
  {
    task: 'diff',
    name: 'as the hints say it',
    edits: [
      [
        CHANGES,
        `  const lines: string[] = []
  const isDir = (path: string) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
  const list = (dir: string, below: string | undefined, path: string, hides: boolean) => {
    const names = readdirSync(dir)
    const old = below === undefined ? [] : readdirSync(below)
    const opaque = hides || readXattrs(dir).get('user.overlay.opaque')?.toString() === 'y'
    for (const name of old) if (opaque && !names.includes(name)) lines.push('D ' + path + '/' + name)
    for (const name of names) {
      const above = join(dir, name)
      const stat = lstatSync(above)
      const inImage = below !== undefined && old.includes(name) ? join(below, name) : undefined
      const both = isDir(above) && inImage !== undefined && isDir(inImage)
      if (stat.isCharacterDevice() && stat.rdev === 0) lines.push('D ' + path + '/' + name)
      else if (!both) lines.push((inImage ? 'C ' : 'A ') + path + '/' + name)
      if (isDir(above)) list(above, both ? inImage : undefined, path + '/' + name, opaque)
    }
  }
  list(upper, image, '', false)
  return lines
`,
      ],
    ],
  },
  {
    task: 'diff',
    name: 'what the container sees, beside what the image has',
    edits: [
      [
        CHANGES,
        `  type Kinds = Map<string, string>
  const kinds = (dir: string, path = '', found: Kinds = new Map()): Kinds => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      found.set(path + '/' + entry.name, entry.isDirectory() ? 'directory' : isWhiteout(join(dir, entry.name)) ? 'whiteout' : 'file')
      if (entry.isDirectory()) kinds(join(dir, entry.name), path + '/' + entry.name, found)
    }
    return found
  }
  const [over, under] = [kinds(upper), kinds(image)]
  const lines: string[] = []
  for (const [path, kind] of over) {
    const old = under.get(path)
    if (kind === 'whiteout') lines.push('D ' + path)
    else if (!old) lines.push('A ' + path)
    else if (kind !== 'directory' || old !== 'directory') lines.push('C ' + path)
  }
  const opaque = [...over.keys()].filter(path => readXattrs(upper + path).get('user.overlay.opaque')?.toString() === 'y')
  for (const path of under.keys()) {
    const parent = dirname(path)
    const hidden = opaque.some(dir => parent === dir || parent.startsWith(dir + '/'))
    if (hidden && !over.has(path) && over.get(parent) === 'directory' && under.get(parent) === 'directory') lines.push('D ' + path)
  }
  return lines
`,
      ],
    ],
  },
  {
    task: 'diff',
    name: 'a queue of directories, and every name of both',
    edits: [
      [
        CHANGES,
        `  const lines: string[] = []
  const queue: { path: string; image: boolean; hides: boolean }[] = [{ path: '/', image: true, hides: false }]
  for (const { path, image: known, hides } of queue) {
    const here = new Map(readdirSync(join(upper, path), { withFileTypes: true }).map(entry => [entry.name, entry]))
    const there = new Map(known ? readdirSync(join(image, path), { withFileTypes: true }).map(entry => [entry.name, entry]) : [])
    const opaque = hides || readXattrs(join(upper, path)).get('user.overlay.opaque')?.toString() === 'y'
    for (const name of new Set([...here.keys(), ...there.keys()])) {
      const [now, before, at] = [here.get(name), there.get(name), join(path, name)]
      const gone = now !== undefined && isWhiteout(join(upper, at))
      if (gone || (!now && opaque)) lines.push('D ' + at)
      if (!now || gone) continue
      const both = now.isDirectory() && before?.isDirectory() === true
      if (!both) lines.push((before ? 'C ' : 'A ') + at)
      if (now.isDirectory()) queue.push({ path: at, image: both, hides: opaque })
    }
  }
  return lines
`,
      ],
    ],
  },
  {
    task: 'names',
    name: 'without the slash at the end of a directory',
    edits: [
      [
        'return isOpaque(at) ? [`${path}/`, `${path}/.wh..wh..opq`] : [`${path}/`]',
        "return isOpaque(at) ? [join(path, '.wh..wh..opq'), path] : [path]",
      ],
    ],
  },
  {
    task: 'names',
    name: 'with a ./ before each name, as tar writes it',
    edits: [
      ['export function tarNames(', 'function namesOf('],
      [
        '/** A symbolic link is not a directory',
        'export const tarNames = (upper: string, path: string) => namesOf(upper, path).map(name => `./${name}`)\n\n/** A symbolic link is not a directory',
      ],
    ],
  },
  {
    task: 'names',
    name: 'the path cut at its last slash',
    edits: [
      [
        AT,
        `  const file = upper + '/' + path
  const stat = lstatSync(file)
  const cut = path.lastIndexOf('/') + 1
  if (stat.isCharacterDevice() && stat.rdev === 0) return [path.slice(0, cut) + '.wh.' + path.slice(cut)]
  const marker = readXattrs(file).get('user.overlay.opaque')?.toString() === 'y' ? [path + '/.wh..wh..opq'] : []
  if (stat) return [path, ...marker]
${AT}`,
      ],
    ],
  },
  {
    task: 'names',
    name: 'the directory of a whiteout as dirname gives it',
    edits: [
      ['[join(dirname(path), `.wh.${basename(path)}`)]', '[`${dirname(path)}/.wh.${basename(path)}`]'],
      [OPAQUE_NAMES, "[path, path.replace(/\\/*$/, '/.wh..wh..opq')]"],
    ],
  },
  ...others,
  ...ways,
]
