import type { Stack } from '../../chapters/5-layers/step.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import { type Changes, readUpper, type TarNames, threeLayers } from './experiments.ts'

export const exercise: Exercise<Stack> = {
  number: 5,
  name: 'layers',
  title: 'Many containers, one image',
  goal: 'You put a writable view over an image that stays as it is, and read from the files below what a container has done: afterwards you can say what a layer is, where `docker diff` gets its list from, and what is in the tar of an image.',
  manPages: ['mount(2)', 'mount(8)', 'mount_namespaces(7)', 'user_namespaces(7)', 'xattr(7)', 'mknod(2)'],
  image: 'as the root', // what is wrong may write to it
  exports: { layers: { part: 'layers' }, changes: 'function', tarNames: 'function' },
  build: (step, { changes, tarNames }) => ({
    ...step,
    stages: [...step.stages, threeLayers(), ...readUpper(changes as Changes, tarNames as TarNames)],
  }),

  tasks: [
    {
      id: 'mount',
      title: 'Put a writable view over the image',
      text: 'An overlay needs four directories: the image’s (`lowerdir`), one that takes every write (`upperdir`), one for the kernel’s own use (`workdir`, on the same file system, empty), and one to be mounted on. Make the three that are missing in `prepare`: `upper` and `work` in `layers.folder`, and `container.rootfs`. Mount the overlay in `inside`, where only the container sees it. For now the image has one layer: `layers.lower[0]`.',
      checks: ['overlay-root', 'overlay-hidden', 'upper-empty'],
      hints: [
        'The first two arguments of the mount are nearly idle here: an overlay has no source. What it is made of is said in its options.',
        '`makeFolder(container)` and `mkdirSync` three times; then `tape.mount` with the type `overlay`, and as data a text of options with commas between them: `lowerdir=…`, `upperdir=…`, `workdir=…`.',
        "`tape.mount('overlay', rootfs, 'overlay', 0, 'lowerdir=' + layers.lower[0] + ',upperdir=' + join(layers.folder, 'upper') + ',workdir=' + join(layers.folder, 'work'))`.",
      ],
    },
    {
      id: 'marks',
      title: 'Let it mark what is gone',
      text: 'What a container writes must go to the upper directory, whole; what it deletes is marked there. A deleted file becomes a device 0:0, which anybody may make. A directory made anew gets an extended attribute, by default `trusted.overlay.opaque`, which only the machine’s root may write: the container’s root lives in a user namespace. Tell overlay to use attributes that a user may write.',
      checks: ['copy-up', 'original-kept', 'whiteout', 'opaque'],
      hints: [
        'Try it inside: `rm -r /var && mkdir /var`. Without that mark, what would be in the new directory?',
        'It is one more option of the mount, without a value: the kernel’s overlayfs.rst has it in “User xattr”.',
        'Add `,userxattr` at the end of the options.',
      ],
    },
    {
      id: 'stack',
      title: 'Stack all the layers, and share them',
      text: 'An image has many layers, and many containers stand on them at the same time. `layers.lower` has them all, topmost first; `lowerdir` takes a list with colons between the paths. But a folder’s name may have a colon in it, and a comma, which ends an option: escape both in every path, by a backslash.',
      checks: [
        'three-layers',
        'shared-lower',
        'nothing-copied',
        'unseen',
        'writes-in-upper',
        'lower-untouched',
      ],
      hints: [
        'In which order does `lowerdir` want them: as a builder puts them one on another, or as somebody looks down on them?',
        "A function that puts a backslash before `:`, `,` and `\\` (`replace` with a regular expression), for every path in the options; then `map` and `join(':')`.",
        "`const escape = (path: string) => path.replace(/[\\\\:,]/g, '\\\\$&')`, and `'lowerdir=' + layers.lower.map(escape).join(':')`; the same for `upperdir` and `workdir`.",
      ],
    },
    {
      id: 'diff',
      title: 'List what a container has done',
      text: '`changes` reads an upper directory as `docker diff` does, for an image of one layer, whose directory it gets, too. For each path a line: `A /root/new` for what was added (what is in an added directory also), `C /etc/hosts` for what was changed, `D /etc/group` for what was deleted (not what lay below). A directory that both have is merged: only what is in it counts. Never follow a link: it leads to your machine. The order is free.',
      checks: ['changes-listed'],
      hints: [
        'Upper says only what is different. For three of its entries ask the image: is there anything of that name? And one kind of directory hides things of which upper says nothing.',
        "`readdirSync` and `lstatSync` of each entry: `isCharacterDevice()` with `rdev` 0 is a deletion; else A or C, by whether `lstatSync(join(image, path), { throwIfNoEntry: false })` finds something. Go into every directory. `readXattrs(path).get('user.overlay.opaque')` is `y` where all that the image has there is gone.",
        "For an opaque directory that the image has: `for (const name of readdirSync(join(image, path))) if (!readdirSync(join(upper, path)).includes(name)) lines.push('D /' + path + '/' + name)`.",
      ],
    },
    {
      id: 'names',
      title: 'Name the entries of a layer’s tar',
      text: 'Layers travel as tar archives, which know no whiteouts. The OCI image specification says it by names: an empty file `.wh.NAME` deletes NAME beside it, and an empty file `.wh..wh..opq` makes the directory that it is in opaque. `tarNames` gets a path in an upper directory, as `etc/passwd`, and returns the names of what stands for it in the tar: mostly the same.',
      checks: ['names-in-tar'],
      hints: [
        'Three cases: what is as it looks, what is a mark, and what is both.',
        'A whiteout: `dirname` and `basename` of the path, with `.wh.` between them. An opaque directory: its own name, and that of the marker in it.',
        "`[join(dirname(path), '.wh.' + basename(path))]` for a whiteout, `[path, path + '/.wh..wh..opq']` for an opaque directory, else `[path]`.",
      ],
    },
  ],

  challenge:
    'Write the opposite: `apply(tar, image)` unpacks a layer onto a copy of the image as a builder without overlay must do it, where `.wh.NAME` deletes and `.wh..wh..opq` empties (mind that a marker only concerns layers below, whatever its place in the tar), and compare with what the third container of `minilab step 5` sees.',

  reasons: [
    {
      call: 'mount("overlay"',
      task: 'mount',
      why: 'lowerdir is read, upperdir takes what is written, workdir is the kernel’s own; in a user namespace `userxattr` says where it keeps its marks.',
    },
  ],
}
