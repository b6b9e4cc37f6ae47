import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { wrongDirectories } from './5-layers-directories.ts'
import { wrongDiffs } from './5-layers-diff.ts'
import { wrongMounts } from './5-layers-mount.ts'
import { wrongNames } from './5-layers-names.ts'
import { wrongLists } from './5-layers-lists.ts'
import { wrongMarks } from './5-layers-opaque.ts'
import { wrongPlaces } from './5-layers-prepare.ts'

const MKDIR =
  "    for (const path of [join(folder, 'upper'), join(folder, 'work'), container.rootfs]) mkdirSync(path)\n"
const MOUNT = "    tape.mount('overlay', rootfs, 'overlay', 0, options.join(','))\n"
const UPPER = "`upperdir=${escape(join(layers.folder, 'upper'))}`"
const WORK = "      `workdir=${escape(join(layers.folder, 'work'))}`,\n"
const USERXATTR = "      'userxattr', // a user namespace may write user.* attributes, and no trusted.*\n"
const ESCAPE = "path.replace(/[\\\\:,]/g, '\\\\$&')"
const INSIDE = 'inside(tape, { layers, rootfs })'
const LOWER = "layers.lower.map(escape).join(':')"

export const wrong: WrongAnswer[] = [
  ...wrongMounts,
  ...wrongPlaces,
  ...wrongDirectories,
  ...wrongLists,
  {
    task: 'marks',
    name: 'without userxattr',
    belief: 'the root of a container may write what root may write',
    edits: [[USERXATTR, '']],
    says: 'without userxattr',
  },
  {
    task: 'marks',
    name: 'the option of another file system',
    belief: 'the mount option for user attributes is the one of ext4',
    edits: [["'userxattr', //", "'user_xattr', //"]],
    says: 'overlay has no option "user_xattr"',
  },
  {
    task: 'marks',
    name: 'upper in memory',
    belief: 'what a container writes goes with it, so it belongs on a tmpfs of its own',
    edits: [
      [
        MOUNT,
        `    tape.mount('tmpfs', layers.folder, 'tmpfs', 0, null)
    for (const path of [join(layers.folder, 'upper'), join(layers.folder, 'work'), rootfs]) tape.mkdirat(AT_FDCWD, path, 0o755)
${MOUNT}`,
      ],
      ['makeFolder, type Part', 'AT_FDCWD, makeFolder, type Part'],
    ],
    says: 'the child mounted another file system over it',
  },
  {
    task: 'marks',
    name: 'userxattr=on',
    belief: 'an option is switched on by a value',
    edits: [["'userxattr', //", "'userxattr=on', //"]],
    says: 'userxattr is an option without a value',
  },
  {
    task: 'marks',
    name: 'redirects as well',
    belief: 'whatever overlay may note in attributes has to be switched on',
    edits: [["'userxattr', //", "'redirect_dir=on', 'userxattr', //"]],
    says: 'does not take redirect_dir=on together with userxattr',
  },
  {
    task: 'marks',
    name: 'no comma before it',
    belief: 'a flag is added at the end',
    edits: [
      [USERXATTR, ''],
      ["options.join(',')", "options.join(',') + 'userxattr'"],
    ],
    says: 'put a comma before userxattr',
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
    says: 'must be written',
  },
  {
    task: 'stack',
    name: 'quoted',
    belief: 'a path with a separator in it is quoted, as in a shell',
    edits: [[ESCAPE, '(/[:,]/.test(path) ? JSON.stringify(path) : path)']],
    says: 'must be written',
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
    task: 'stack',
    name: 'only the first character escaped',
    belief: 'replace replaces all that it finds',
    edits: [[ESCAPE, "path.replace(/[\\\\:,]/, '\\\\$&')"]],
    says: 'must be written',
  },
  {
    task: 'stack',
    name: 'only lowerdir escaped',
    belief: 'only a list of paths needs it',
    edits: [
      [UPPER, "`upperdir=${join(layers.folder, 'upper')}`"],
      [WORK, "      `workdir=${join(layers.folder, 'work')}`,\n"],
    ],
    says: 'must be written',
  },
  {
    task: 'stack',
    name: 'workdir not escaped',
    belief: 'only what the container sees needs it',
    edits: [[WORK, "      `workdir=${join(layers.folder, 'work')}`,\n"]],
    says: 'must be written',
  },
  {
    task: 'stack',
    name: 'the backslash itself not escaped',
    belief: 'a backslash in a name is a character like any other',
    edits: [[ESCAPE, "path.replace(/[:,]/g, '\\\\$&')"]],
    says: 'must be written',
  },
  {
    task: 'stack',
    name: 'two backslashes',
    belief: 'a backslash has to be escaped wherever it is written',
    edits: [[ESCAPE, "path.replace(/[\\\\:,]/g, '\\\\\\\\$&')"]],
    says: 'must be written',
  },
  {
    task: 'stack',
    name: 'escaped after they are joined',
    belief: 'the option as a whole is escaped',
    edits: [["layers.lower.map(escape).join(':')", "escape(layers.lower.join(':'))"]],
    says: 'the kernel reads all layers as one path',
  },
  {
    task: 'stack',
    name: 'commas between the layers',
    belief: 'a list has commas in it',
    edits: [["layers.lower.map(escape).join(':')", "layers.lower.map(escape).join(',')"]],
    says: 'as the name of an option',
  },
  {
    task: 'stack',
    name: 'percent signs',
    belief: 'a path is escaped like that of a URL',
    edits: [[ESCAPE, 'path.replace(/[\\\\:,]/g, encodeURIComponent)']],
    says: 'must be written',
  },
  {
    task: 'stack',
    name: 'merged, beside upper and work',
    belief: 'rootfs is always the folder `merged` beside upper and work',
    edits: [
      ['container.rootfs]', "join(folder, 'merged')]"],
      ["('overlay', rootfs,", "('overlay', join(layers.folder, 'merged'),"],
      [INSIDE, 'inside(tape, { layers })'],
    ],
    says: 'the overlay is mounted on ',
  },
  {
    task: 'marks',
    name: 'a space before it',
    belief: 'options are separated as words are',
    edits: [
      [USERXATTR, ''],
      ["options.join(',')", "options.join(',') + ' userxattr'"],
    ],
    says: 'put a comma',
  },
  {
    task: 'marks',
    name: 'xattr=user',
    belief: 'which attributes it takes is the value of an option',
    edits: [["'userxattr', //", "'xattr=user', //"]],
    says: 'overlay has no option "xattr"',
  },
  {
    task: 'stack',
    name: 'sorted',
    belief: 'the layers are to be put in order first',
    edits: [[LOWER, "layers.lower.toSorted().map(escape).join(':')"]],
    says: 'lowerdir has the topmost first',
  },
  {
    task: 'stack',
    name: 'the backslash last',
    belief: 'three replacements may be made in any order',
    edits: [
      [ESCAPE, "path.replaceAll(':', '\\\\:').replaceAll(',', '\\\\,').replaceAll('\\\\', '\\\\\\\\')"],
    ],
    says: 'must be written',
  },
  {
    task: 'stack',
    name: 'the target as well',
    belief: 'every path of the call is escaped',
    edits: [["('overlay', rootfs,", "('overlay', escape(rootfs),"]],
    says: 'says where it is mounted: `rootfs`',
  },
  ...wrongDiffs,
  ...wrongMarks,
  ...wrongNames,
]
