import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { ESCAPE, MAKE, MKDIR, MOUNT, WORK } from '../lines/5-layers.ts'

// Which directories an overlay is made of, where it is mounted, and how their paths are written.

export const wrongDirectories: WrongAnswer[] = [
  {
    task: 'mount',
    name: 'mounted on a name that is often right',
    belief: 'the root of a container is called merged',
    edits: [
      [MKDIR, MKDIR.replace('container.rootfs', "join(folder, 'merged')")],
      [MOUNT, MOUNT.replace('rootfs', "join(layers.folder, 'merged')")],
    ],
    says: 'the overlay is mounted on ',
  },
  {
    task: 'mount',
    name: 'read-only',
    belief: 'an image is mounted read-only, since nobody may change it',
    edits: [
      [MOUNT, MOUNT.replace(', 0,', ', MS_RDONLY,')],
      ['makeFolder, type Part', 'makeFolder, MS_RDONLY, type Part'],
    ],
    says: 'The overlay is mounted read-only',
  },
  {
    task: 'mount',
    name: 'an upper directory that only root may enter',
    belief: 'all that belongs to a container is closed to others',
    edits: [[MKDIR, MKDIR.replace('mkdirSync(path)', 'mkdirSync(path, { mode: 0o700 })')]],
    says: '`upper` has mode 0700, and so has `/`',
  },
  {
    task: 'mount',
    name: 'one workdir for all containers',
    belief: 'the kernel cleans up after itself, so all can work in one place',
    edits: [
      [
        MKDIR,
        `    mkdirSync(join(dirname(folder), 'work'), { recursive: true })
${MKDIR.replace("join(folder, 'work'), ", '')}`,
      ],
      [WORK, "escape(join(dirname(layers.folder), 'work'))"],
    ],
    says: 'and not in `layers.folder`',
  },
  {
    task: 'mount',
    name: 'a relative path',
    belief: 'a path is looked for from where minilab was started',
    edits: [
      ['import { basename, dirname, join }', 'import { basename, dirname, join, relative }'],
      [
        "escape(join(layers.folder, 'upper'))",
        "escape(relative(process.cwd(), join(layers.folder, 'upper')))",
      ],
    ],
    says: 'and that is not an absolute path',
  },
  {
    task: 'mount',
    name: 'the folder by mkdirSync',
    belief: 'makeFolder is another word for mkdirSync',
    edits: [
      [MAKE, '    mkdirSync(folder)\n'],
      ['makeFolder, ', ''],
    ],
    says: '`layers.folder` has mode 0755',
  },
  {
    task: 'marks',
    name: 'redirects switched off, in place of userxattr',
    belief: 'overlay needs no attributes where nothing is renamed',
    edits: [["'userxattr',", "'redirect_dir=off',"]],
    says: 'redirect_dir=off needs trusted.* attributes',
  },
  {
    task: 'stack',
    name: 'octal, as in mountinfo',
    belief: 'a mount option is written as mountinfo shows it',
    edits: [
      [
        ESCAPE,
        "const escape = (path: string) => path.replace(/[\\\\:,]/g, c => '\\\\0' + c.charCodeAt(0).toString(8))\n",
      ],
    ],
    says: 'must be written',
  },
  {
    task: 'stack',
    name: 'in per cent',
    belief: 'a path is escaped as in an address',
    edits: [[ESCAPE, "const escape = (path: string) => path.split('/').map(encodeURIComponent).join('/')\n"]],
    says: 'must be written',
  },
  {
    task: 'stack',
    name: 'sorted',
    belief: 'the order of directories is that of their names',
    edits: [['layers.lower.map(escape)', 'layers.lower.toSorted().map(escape)']],
    says: 'lowerdir has the topmost first',
  },
]
