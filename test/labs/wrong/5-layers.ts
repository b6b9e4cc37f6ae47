import type { WrongAnswer } from '../../../lib/labs/answer.ts'

const MKDIR =
  "    for (const path of [join(folder, 'upper'), join(folder, 'work'), container.rootfs]) mkdirSync(path)\n"
const MOUNT = "    tape.mount('overlay', rootfs, 'overlay', 0, options.join(','))\n"
const LOWER = "`lowerdir=${layers.lower.map(escape).join(':')}`"
const UPPER = "`upperdir=${escape(join(layers.folder, 'upper'))}`"
const WORK = "      `workdir=${escape(join(layers.folder, 'work'))}`,\n"

const OPAQUE_NAMES = '[`${path}/`, `${path}/.wh..wh..opq`]'

export const wrong: WrongAnswer[] = [
  {
    task: 'mount',
    name: 'the image itself, bound',
    belief: 'a bind mount of the image is a view of it, and what a view takes stays in the view',
    edits: [
      [
        MOUNT,
        '    tape.mount(layers.lower.at(-1)!, rootfs, null, MS_BIND | MS_REC, null)\n    void options\n',
      ],
      ['makeFolder, type Part', 'makeFolder, MS_BIND, MS_REC, type Part'],
    ],
    says: 'without an overlay over it',
  },
  {
    task: 'mount',
    name: 'upper and lower exchanged',
    belief: 'upper is what was there first',
    edits: [
      [LOWER, "`lowerdir=${escape(join(layers.folder, 'upper'))}`"],
      [UPPER, '`upperdir=${escape(layers.lower[0]!)}`'],
      [WORK, "      `workdir=${escape(join(layers.lower[0]!, '../work'))}`,\n"],
      [MKDIR, `${MKDIR}    mkdirSync(join(container.layers.lower[0]!, '../work'), { recursive: true })\n`],
    ],
    says: 'Upper and lower are exchanged',
  },
  {
    task: 'mount',
    name: 'no workdir',
    belief: 'lower and upper are all that an overlay needs',
    edits: [[WORK, '']],
    says: 'mount("overlay"',
  },
  {
    task: 'mount',
    name: 'no directories',
    belief: 'the mount makes the directories that it needs',
    edits: [[MKDIR, '    void mkdirSync\n    void folder\n']],
    says: 'to mount on',
  },
  {
    task: 'mount',
    name: 'on the host',
    belief: 'a mount for the container is made where its directories are made',
    edits: [
      [
        'import { basename, dirname',
        "import { execFileSync } from 'node:child_process'\nimport { basename, dirname",
      ],
      [
        MKDIR,
        `${MKDIR}    const mine = \`lowerdir=\${container.layers.lower.map(escape).join(':')},upperdir=\${escape(join(folder, 'upper'))},workdir=\${escape(join(folder, 'work'))},userxattr\`
    execFileSync('mount', ['-t', 'overlay', '-o', mine, 'overlay', container.rootfs])
`,
      ],
      [MOUNT, '    tape.mount(rootfs, rootfs, null, MS_BIND | MS_REC, null)\n    void options\n'],
      ['makeFolder, type Part', 'makeFolder, MS_BIND, MS_REC, type Part'],
    ],
    says: 'It is mounted on the host as well',
  },
  {
    task: 'mount',
    name: 'a full upper directory',
    belief: 'a container can only write to files that it has, so it needs a copy of the image',
    edits: [
      ['import { lstatSync, mkdirSync,', 'import { cpSync, lstatSync, mkdirSync,'],
      [
        MKDIR,
        `${MKDIR}    cpSync(container.layers.lower[0]!, join(folder, 'upper'), { recursive: true, verbatimSymlinks: true })\n`,
      ],
    ],
    says: 'The image was copied to the upper directory before the start',
  },
  {
    task: 'marks',
    name: 'without userxattr',
    belief: 'the root of a container may write what root may write',
    edits: [["      'userxattr', // a user namespace may write user.* attributes, and no trusted.*\n", '']],
    says: 'without userxattr',
  },
  {
    task: 'marks',
    name: 'the option of another file system',
    belief: 'the mount option for user attributes is the one of ext4',
    edits: [["'userxattr', //", "'user_xattr', //"]],
    says: 'mount("overlay"',
  },
  {
    task: 'marks',
    name: 'read-only',
    belief: 'an image is mounted read-only, since nobody may change it',
    edits: [
      ["rootfs, 'overlay', 0, ", "rootfs, 'overlay', MS_RDONLY, "],
      ['makeFolder, type Part', 'makeFolder, MS_RDONLY, type Part'],
    ],
    says: 'There is no copy in upper',
  },
  {
    task: 'marks',
    name: 'upper in memory',
    belief: 'what a container writes goes with it, so it belongs on a tmpfs of its own',
    edits: [
      [
        MOUNT,
        `    tape.mount('tmpfs', layers.folder, 'tmpfs', 0, null)
    for (const name of ['upper', 'work', 'merged']) tape.mkdirat(AT_FDCWD, join(layers.folder, name), 0o755)
${MOUNT}`,
      ],
      ['makeFolder, type Part', 'AT_FDCWD, makeFolder, type Part'],
    ],
    says: 'There is no copy in upper',
  },
  {
    task: 'stack',
    name: 'bottom first',
    belief: 'layers are named in the order in which they are stacked',
    edits: [["layers.lower.map(escape).join(':')", "layers.lower.toReversed().map(escape).join(':')"]],
    says: 'lowerdir has the topmost first',
  },
  {
    task: 'stack',
    name: 'one layer',
    belief: 'the topmost layer has all that is below it',
    edits: [["layers.lower.map(escape).join(':')", 'escape(layers.lower[0]!)']],
    says: 'not all layers are in lowerdir',
  },
  {
    task: 'stack',
    name: 'the image alone',
    belief: 'the base of an image is the image',
    edits: [["layers.lower.map(escape).join(':')", 'escape(layers.lower.at(-1)!)']],
    says: 'Only 1 of the 3 layers',
  },
  {
    task: 'stack',
    name: 'not escaped',
    belief: 'a path is a path, wherever it is written',
    edits: [["layers.lower.map(escape).join(':')", "layers.lower.join(':')"]],
    says: 'one of overlay’s directories',
  },
  {
    task: 'stack',
    name: 'quoted',
    belief: 'a path with a separator in it is quoted, as in a shell',
    edits: [["path.replace(/[\\\\:,]/g, '\\\\$&')", '(/[:,]/.test(path) ? JSON.stringify(path) : path)']],
    says: 'The overlay was refused',
  },
  {
    task: 'stack',
    name: 'one upper directory',
    belief: 'what all containers of an image share is in one place, so they share that place',
    edits: [
      [UPPER, "`upperdir=${escape(join(layers.folder, '../upper'))}`"],
      [MKDIR, `${MKDIR}    mkdirSync(join(folder, '../upper'), { recursive: true })\n`],
    ],
    says: 'Both have the same upper directory',
  },
  {
    task: 'diff',
    name: 'whiteouts as files',
    belief: 'what is in upper was added or changed',
    edits: [['    if (isWhiteout(above)) found.push(`D /${path}`)\n    else if', '    if']],
    says: 'is a whiteout: a character device 0:0 says that this name was deleted',
  },
  {
    task: 'diff',
    name: 'opaque as any other',
    belief: 'all that was deleted has a whiteout',
    edits: [['const opaque = hidden || isOpaque(join(upper, directory))', 'const opaque = hidden']],
    says: 'var is opaque',
  },
  {
    task: 'diff',
    name: 'links followed',
    belief: 'stat and lstat tell the same of a file',
    edits: [
      [
        "export function changes(upper: string, image: string, directory = '', hidden = false): string[] {\n",
        "export function changes(upper: string, image: string, directory = '', hidden = false): string[] {\n  for (const name of readdirSync(join(upper, directory))) statSync(join(upper, directory, name))\n",
      ],
      [
        'import { lstatSync, mkdirSync, readdirSync }',
        'import { lstatSync, mkdirSync, readdirSync, statSync }',
      ],
    ],
    says: 'ENOENT',
  },
  {
    task: 'diff',
    name: 'all directories',
    belief: 'a directory in upper is one that was added or changed',
    edits: [['    else if (!isDirectory(above) || !isDirectory(below))\n      found', '    else found']],
    says: 'that the image has, too: the two are merged',
  },
  {
    task: 'diff',
    name: 'all added',
    belief: 'what is in upper is new',
    edits: [["`${old.includes(name) ? 'C' : 'A'} /${path}`", '`A /${path}`']],
    says: 'it was changed, not added',
  },
  {
    task: 'names',
    name: 'the prefix before the path',
    belief: '.wh. marks a path',
    edits: [['join(dirname(path), `.wh.${basename(path)}`)', '`.wh.${path}`']],
    says: 'an empty file says it, in the same directory',
  },
  {
    task: 'names',
    name: 'whiteouts as they are',
    belief: 'tar packs devices, so a whiteout is packed like any other file',
    edits: [
      [
        '  if (isWhiteout(at)) return [join(dirname(path), `.wh.${basename(path)}`)]\n',
        '  void dirname\n  void basename\n',
      ],
    ],
    says: 'A tar has no whiteouts',
  },
  {
    task: 'names',
    name: 'no opaque directories',
    belief: 'an extended attribute is packed with its directory',
    edits: [[`return isOpaque(at) ? ${OPAQUE_NAMES} : `, 'return ']],
    says: 'is opaque: an empty file .wh..wh..opq in it says so',
  },
  {
    task: 'names',
    name: 'the marker alone',
    belief: 'the marker stands for the directory that it is in',
    edits: [[OPAQUE_NAMES, '[`${path}/.wh..wh..opq`]']],
    says: 'What was added or changed has its own name',
  },
]
