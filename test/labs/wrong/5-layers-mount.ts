import type { WrongAnswer } from '../../../lib/labs/answer.ts'

// Wrong answers to the first task of lab 5.

const MKDIR =
  "    for (const path of [join(folder, 'upper'), join(folder, 'work'), container.rootfs]) mkdirSync(path)\n"
const MOUNT = "    tape.mount('overlay', rootfs, 'overlay', 0, options.join(','))\n"
const LOWER = "`lowerdir=${layers.lower.map(escape).join(':')}`"
const UPPER = "`upperdir=${escape(join(layers.folder, 'upper'))}`"
const WORK = "      `workdir=${escape(join(layers.folder, 'work'))}`,\n"

export const wrongMounts: WrongAnswer[] = [
  {
    task: 'mount',
    name: 'mounted on the host',
    belief: 'a mount that is there before the child comes into its namespace as any other',
    edits: [
      [MOUNT, '    void [tape, rootfs, options]\n'],
      [
        MKDIR,
        `${MKDIR}    const { lower } = container.layers
    const data = \`lowerdir=${'${'}lower.map(escape).join(':')},upperdir=${'${'}escape(join(folder, 'upper'))},workdir=${'${'}escape(join(folder, 'work'))},userxattr\`
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', data, container.rootfs])\n`,
      ],
      ['import { basename,', "import { execFileSync } from 'node:child_process'\nimport { basename,"],
    ],
    says: 'on the host',
  },
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
    says: 'Upper and lower are swapped',
  },
  {
    task: 'mount',
    name: 'no workdir',
    belief: 'lower and upper are all that an overlay needs',
    edits: [[WORK, '']],
    says: 'workdir is not among its options',
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
    task: 'mount',
    name: 'the type overlayfs',
    belief: 'the kernel calls the file system as its documentation does',
    edits: [["rootfs, 'overlay', 0, ", "rootfs, 'overlayfs', 0, "]],
    says: 'the type of the file system is "overlayfs"',
  },
  {
    task: 'mount',
    name: 'workdir is upperdir',
    belief: 'the kernel works in the directory that takes the writes',
    edits: [[WORK, "      `workdir=${escape(join(layers.folder, 'upper'))}`,\n"]],
    says: 'workdir and upperdir are the same directory',
  },
  {
    task: 'mount',
    name: 'workdir in upperdir',
    belief: 'what the kernel needs belongs to the upper directory',
    edits: [
      [WORK, "      `workdir=${escape(join(layers.folder, 'upper/work'))}`,\n"],
      ["join(folder, 'work')", "join(folder, 'upper/work')"],
    ],
    says: 'one lies in the other',
  },
  {
    task: 'mount',
    name: 'no upperdir',
    belief: 'workdir is where the work of the container goes',
    edits: [[`${UPPER},\n`, '']],
    says: 'upperdir is not among its options',
  },
  {
    task: 'mount',
    name: 'no lowerdir',
    belief: 'the source of the mount is the image',
    edits: [
      [`${LOWER},\n`, ''],
      ["tape.mount('overlay'", 'tape.mount(layers.lower[0]!'],
    ],
    says: 'lowerdir is not among its options',
  },
  {
    task: 'mount',
    name: 'a lowerdir that does not exist',
    belief: 'the image is in the folder of the container',
    edits: [[LOWER, "`lowerdir=${join(layers.folder, 'lower')}`"]],
    says: 'there is no such directory',
  },
  {
    task: 'mount',
    name: 'an upperdir that does not exist',
    belief: 'overlay makes the directory that it writes to',
    edits: [[UPPER, "`upperdir=${join(layers.folder, 'diff')}`"]],
    says: 'upperdir names ',
  },
  {
    task: 'mount',
    name: 'another upper directory',
    belief: 'the name of the upper directory is free',
    edits: [
      [UPPER, "`upperdir=${escape(join(layers.folder, 'upper2'))}`"],
      ["join(folder, 'upper')", "join(folder, 'upper2')"],
    ],
    says: 'The checks look in',
  },
  {
    task: 'mount',
    name: 'rootfs as the upper directory',
    belief: 'what a container writes is in its root',
    edits: [[UPPER, '`upperdir=${escape(rootfs)}`']],
    says: 'The checks look in',
  },
  {
    task: 'mount',
    name: 'mounted on upper',
    belief: 'the upper directory is the one that the container sees',
    edits: [["('overlay', rootfs,", "('overlay', join(layers.folder, 'upper'),"]],
    says: 'the overlay is mounted on ',
  },
  {
    task: 'mount',
    name: 'mounted on a directory of the container',
    belief: 'the name of the directory that it is mounted on is free',
    edits: [
      ["('overlay', rootfs,", "('overlay', join(layers.folder, 'root'),"],
      ["join(folder, 'work')", "join(folder, 'work'), join(folder, 'root')"],
    ],
    says: 'the overlay is mounted on ',
  },
  {
    task: 'mount',
    name: 'source and target exchanged',
    belief: 'a mount begins with where it goes',
    edits: [["tape.mount('overlay', rootfs,", "tape.mount(rootfs, 'overlay',"]],
    says: 'there is no overlay to mount on',
  },
  {
    task: 'mount',
    name: 'the empty directory below',
    belief: 'lowerdir is what the container sees at the end',
    edits: [[LOWER, '`lowerdir=${escape(rootfs)}`']],
    says: 'which is not the image',
  },
  {
    task: 'mount',
    name: 'options with spaces between them',
    belief: 'options are a list like any other',
    edits: [["options.join(',')", "options.join(', ')"]],
    says: 'is not at the beginning of an option',
  },
  {
    task: 'mount',
    name: 'a bind mount with options',
    belief: 'a view of a directory is a bind mount, and the rest is in the options',
    edits: [
      ["rootfs, 'overlay', 0, ", "rootfs, 'overlay', MS_BIND, "],
      ['makeFolder, type Part', 'makeFolder, MS_BIND, type Part'],
    ],
    says: 'with MS_BIND',
  },
  {
    task: 'mount',
    name: 'no folder',
    belief: 'the folder of a container is there from the beginning',
    edits: [['    makeFolder(container)\n', '']],
    says: '`makeFolder(container)` makes `layers.folder`',
  },
  {
    task: 'mount',
    name: 'nothing mounted',
    belief: 'the directories are the overlay',
    edits: [[MOUNT, '    void options\n']],
    says: 'nothing is mounted on `rootfs`',
  },
  {
    task: 'mount',
    name: 'the image twice',
    belief: 'lowerdir needs two layers',
    edits: [[LOWER, '`lowerdir=${layers.lower[0]}:${layers.lower[0]}`']],
    says: 'is in lowerdir twice',
  },
]
