import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { CHANGES, ESCAPE, FS, IS_OPAQUE, MAKE, MKDIR, MOUNT, WHITEOUT_NAME } from '../lines/5-layers.ts'

// Other calls, and other ways through a tree.

export const ways: RightAnswer[] = [
  {
    task: 'mount',
    name: 'promises, and a mount without devices',
    edits: [
      [FS, `${FS}import { mkdir } from 'node:fs/promises'\n`],
      ['  prepare(container) {', '  async prepare(container) {'],
      [
        MKDIR,
        "    await Promise.all(['upper', 'work'].map(name => mkdir(join(folder, name))).concat(mkdir(container.rootfs)))\n",
      ],
      ['makeFolder, type Part', 'makeFolder, MS_NODEV, type Part'],
      [MOUNT, MOUNT.replace(', 0,', ', MS_NODEV,')],
    ],
  },
  {
    task: 'mount',
    name: 'the folder by mkdirSync, with its mode',
    edits: [
      [MAKE, '    mkdirSync(folder, { mode: 0o700 })\n'],
      ['makeFolder, ', ''],
    ],
  },
  {
    task: 'stack',
    name: 'character by character, and the options the other way round',
    edits: [
      [
        ESCAPE,
        "const escape = (path: string) => [...path].map(c => ('\\\\:,'.includes(c) ? `\\\\${c}` : c)).join('')\n",
      ],
      ["options.join(',')", "['index=off', 'xino=off', ...options.toReversed()].join(',')"],
    ],
  },
  {
    task: 'diff',
    name: 'a generator, and the image as a map of names',
    edits: [
      [
        CHANGES,
        `  type Names = Map<string, string>
  const namesOf = (dir?: string): Names =>
    new Map(dir === undefined ? [] : readdirSync(dir).map(name => [name, join(dir, name)] as const))
  function* walk(dir: string, below: string | undefined, path: string, gone: boolean): Generator<string> {
    const [there, before] = [namesOf(dir), namesOf(below)]
    const isGone = gone || isOpaque(dir)
    if (isGone) for (const name of before.keys()) if (!there.has(name)) yield ['D', join(path, name)].join(' ')
    for (const [name, at] of there) {
      const was = before.get(name)
      const bothDirectories = was !== undefined && isDirectory(at) && isDirectory(was)
      if (isWhiteout(at)) yield ['D', join(path, name)].join(' ')
      else if (!bothDirectories) yield [was === undefined ? 'A' : 'C', join(path, name)].join(' ')
      if (isDirectory(at)) yield* walk(at, bothDirectories ? was : undefined, join(path, name), isGone)
    }
  }
  return [...walk(upper, image, '/', false)].sort()
`,
      ],
    ],
  },
  {
    task: 'names',
    name: 'by a regular expression, and a Buffer',
    edits: [
      [WHITEOUT_NAME, "  if (isWhiteout(at)) return [path.replace(/[^/]+$/, '.wh.$&')]\n"],
      [
        IS_OPAQUE,
        "  return readXattrs(path).get('user.overlay.opaque')?.equals(Buffer.from('y')) ?? false\n",
      ],
    ],
  },
]
