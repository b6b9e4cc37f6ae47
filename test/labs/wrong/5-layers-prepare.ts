import type { WrongAnswer } from '../../../lib/labs/answer.ts'

// Wrong answers to the first task of lab 5: where and when its directories are made, and its mount.

const FS = 'import { lstatSync, mkdirSync, readdirSync } from'
const MKDIR =
  "    for (const path of [join(folder, 'upper'), join(folder, 'work'), container.rootfs]) mkdirSync(path)\n"
const MAKE = '    makeFolder(container)\n'
const PATH = 'import { basename, dirname, join }'
const INSIDE = 'inside(tape, { layers, rootfs })'
const MOUNT = "    tape.mount('overlay', rootfs, 'overlay', 0, options.join(','))\n"
const WORK = "      `workdir=${escape(join(layers.folder, 'work'))}`,\n"

export const wrongPlaces: WrongAnswer[] = [
  {
    task: 'mount',
    name: 'promises that nobody waits for',
    belief: 'a call of fs/promises has made the directory when it returns',
    edits: [
      [FS, "import { mkdir } from 'node:fs/promises'\nimport { lstatSync, readdirSync } from"],
      [MKDIR, MKDIR.replace('mkdirSync(path)', 'void mkdir(path).catch(() => undefined)')],
    ],
    says: 'await',
  },
  {
    task: 'mount',
    name: 'the folder by recursive',
    belief: 'recursive makes the folder on the way, so makeFolder is not needed',
    edits: [
      [MAKE, ''],
      ['makeFolder, ', ''],
      ['mkdirSync(path)', 'mkdirSync(path, { recursive: true })'],
    ],
    says: '`makeFolder(container)` makes `layers.folder`',
  },
  {
    task: 'mount',
    name: 'workdir in /tmp',
    belief: 'the work directory is scratch space, and that is what /tmp is for',
    edits: [
      [PATH, `import { tmpdir } from 'node:os'\n${PATH}`],
      ["join(folder, 'work')", "join(tmpdir(), 'work-' + container.id)"],
      [INSIDE, 'inside(tape, { layers, rootfs, id })'],
      [WORK, "      `workdir=${escape(join(tmpdir(), 'work-' + id))}`,\n"],
    ],
    says: '`layers.folder`',
  },
  {
    task: 'mount',
    name: 'on the host, and not in the child',
    belief: 'the child finds what the host has mounted',
    edits: [
      [PATH, `import { execFileSync } from 'node:child_process'\n${PATH}`],
      [
        MKDIR,
        `${MKDIR}    const mine = \`lowerdir=\${container.layers.lower.map(escape).join(':')},upperdir=\${escape(join(folder, 'upper'))},workdir=\${escape(join(folder, 'work'))},userxattr\`
    execFileSync('mount', ['-t', 'overlay', '-o', mine, 'overlay', container.rootfs])
`,
      ],
      [MOUNT, '    void [tape, rootfs, options]\n'],
    ],
    says: 'is mounted on the host',
  },
]
