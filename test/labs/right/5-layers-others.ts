import type { RightAnswer } from '../../../lib/labs/answer.ts'

const FS = 'import { lstatSync, mkdirSync, readdirSync } from'
const PREPARE = '  prepare(container) {\n'
const MKDIR =
  "    for (const path of [join(folder, 'upper'), join(folder, 'work'), container.rootfs]) mkdirSync(path)\n"
const MOUNT = "    tape.mount('overlay', rootfs, 'overlay', 0, options.join(','))\n"
const USERXATTR = "      'userxattr', // a user namespace may write user.* attributes, and no trusted.*\n"
const WALK = "  return changesIn(upper, image, '', false)\n"
const OPAQUE_NAMES = '[`${path}/`, `${path}/.wh..wh..opq`]'

export const others: RightAnswer[] = [
  {
    task: 'mount',
    name: 'promises, all waited for at once',
    edits: [
      [FS, "import { mkdir } from 'node:fs/promises'\nimport { lstatSync, readdirSync } from"],
      [PREPARE, '  async prepare(container) {\n'],
      [
        MKDIR,
        '    await Promise.all([container.rootfs, `${folder}/work`, `${folder}/upper`].map(path => mkdir(path, { mode: 0o755, recursive: true })))\n',
      ],
    ],
  },
  {
    task: 'mount',
    name: 'the directories by a program',
    edits: [
      [FS, "import { execFileSync } from 'node:child_process'\nimport { lstatSync, readdirSync } from"],
      [
        MKDIR,
        "    execFileSync('mkdir', ['-p', '--', `${folder}/upper`, `${folder}/work`, container.rootfs])\n",
      ],
    ],
  },
  {
    task: 'mount',
    name: 'no source, and the options from an object',
    edits: [
      [
        MOUNT,
        "    const given = Object.fromEntries(options.map(option => option.split(/=(.*)/s) as [string, string?]))\n    const text = Object.entries(given).map(([key, value]) => (value === undefined ? key : `${key}=${value}`)).reverse().join()\n    tape.mount(null, rootfs, 'overlay', 0, text)\n",
      ],
    ],
  },
  {
    task: 'mount',
    name: 'an error where there are no layers',
    edits: [
      [
        '    if (!container.layers) return\n',
        "    if (container.layers === undefined) throw new Error('it has no layers')\n",
      ],
      ['    if (!layers) return\n', "    if (layers === undefined) throw new Error('it has no layers')\n"],
    ],
  },
  {
    task: 'marks',
    name: 'with what else overlay might note switched off',
    edits: [[USERXATTR, "      'userxattr', 'index=off', 'xino=off', 'redirect_dir=nofollow',\n"]],
  },
  {
    task: 'diff',
    name: 'a generator, sets, and the path with its slash',
    edits: [
      [WALK, "  return [...differences(upper, image, '/', false)]\n"],
      [
        '/** The changes in one directory;',
        `function* differences(mine: string, theirs: string | undefined, prefix: string, inherited: boolean): Generator<string> {
  const names = new Set(readdirSync(mine))
  const original = new Set(theirs === undefined ? [] : readdirSync(theirs))
  const fresh = inherited || isOpaque(mine)
  if (fresh) for (const lost of original.difference(names)) yield 'D ' + prefix + lost
  for (const name of names) {
    const [here, known] = [join(mine, name), original.has(name)]
    if (isWhiteout(here)) yield* known ? ['D ' + prefix + name] : []
    else {
      const under = known && isDirectory(here) && isDirectory(join(theirs!, name)) ? join(theirs!, name) : undefined
      if (under === undefined) yield (known ? 'C ' : 'A ') + prefix + name
      if (isDirectory(here)) yield* differences(here, under, prefix + name + '/', fresh)
    }
  }
}

/** The changes in one directory;`,
      ],
    ],
  },
  {
    task: 'diff',
    name: 'the numbers of stat, as bigint, and the attribute as bytes',
    edits: [
      [
        '  const stat = lstatSync(path)\n  return stat.isCharacterDevice() && stat.rdev === 0\n',
        '  const { mode, rdev } = lstatSync(path, { bigint: true })\n  return rdev === 0n && (mode & 0o170000n) === 0o020000n\n',
      ],
      ["?.toString() === 'y'", '?.equals(Uint8Array.of(0x79)) === true'],
    ],
  },
  {
    task: 'names',
    name: 'the marker before its directory',
    edits: [[OPAQUE_NAMES, '[`./${path}/.wh..wh..opq`, `./${path}`]']],
  },
]
