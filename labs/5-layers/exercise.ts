import { chapter } from '../../lib/guide/chapters.ts'
import type { Stack } from '../../chapters/5-layers/step.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import { withLayers } from './experiments.ts'
import { type Changes, readUpper, type TarNames } from './functions.ts'

export const exercise: Exercise<Stack> = {
  ...chapter('layers'),
  goal: 'You put a writable view over an image that stays as it is, and find out from the upper directory what a container has done. Afterwards you can say what a layer is, how an upper directory gives the list that `docker diff` prints, and what is in the tar of an image.',
  manPages: ['mount(2)', 'mount(8)', 'mount_namespaces(7)', 'user_namespaces(7)', 'xattr(7)', 'mknod(2)'],
  image: 'as the root', // a wrong answer may write to it
  exports: { layers: { part: 'layers' }, changes: 'function', tarNames: 'function' },
  build(step, { changes, tarNames }) {
    const { stages, ...rest } = withLayers(step)
    return { ...rest, stages: [...stages, ...readUpper(changes as Changes, tarNames as TarNames)] }
  },

  tasks: [
    {
      id: 'mount',
      title: 'Put a writable view over the image',
      text: 'An overlay needs four directories: the image (`lowerdir`), a directory that takes every write (`upperdir`), an empty directory on the same file system for the kernel itself (`workdir`), and a directory to mount the overlay on. Make the three missing directories in `prepare`: `upper` and `work` in `layers.folder`, and `container.rootfs`. Mount the overlay on `rootfs` in `inside`, where only the container sees it. Give absolute paths. For now the image has one layer: `layers.lower[0]`.',
      checks: ['overlay-root', 'overlay-hidden', 'upper-empty', 'own-folder', 'root-enterable'],
      hints: [
        'The first argument of the mount is any name: an overlay has no source. The options name its directories.',
        '`makeFolder(container)`, and `mkdirSync` three times; then `tape.mount` with the type `overlay`, and as data a string with the options, separated by commas: `lowerdir=…`, `upperdir=…`, `workdir=…`.',
        "`tape.mount('overlay', rootfs, 'overlay', 0, 'lowerdir=' + layers.lower[0] + ',upperdir=' + join(layers.folder, 'upper') + ',workdir=' + join(layers.folder, 'work'))`.",
      ],
    },
    {
      id: 'marks',
      title: 'Let it mark what is gone',
      text: "What a container writes goes to the upper directory; what it deletes is marked there. The mark of a deleted file is a character device 0:0, which every user may make. The mark of a directory that was deleted and made again is an extended attribute. By default that is `trusted.overlay.opaque`, which only the machine's root may write, but the container's root is in a user namespace. Tell overlay to use attributes that a user may write.",
      checks: ['copy-up', 'original-kept', 'whiteout', 'opaque'],
      hints: [
        'Try it inside: `rm -r /var && mkdir /var`. Without the mark, what would be in the new directory?',
        "It is one more mount option, without a value: see “User xattr” in the kernel's overlayfs.rst.",
        'Add `,userxattr` at the end of the options.',
      ],
    },
    {
      id: 'stack',
      title: 'Stack all the layers, and share them',
      text: 'An image has many layers, and many containers use them at the same time. `layers.lower` has all of them, topmost first; `lowerdir` takes a list of paths, separated by colons. But the name of a folder may contain a colon, a comma (which ends an option) or a backslash. Put a backslash before each of these three characters, in every path of `lowerdir`, `upperdir` and `workdir`.',
      checks: [
        'three-layers',
        'shared-lower',
        'nothing-copied',
        'unseen',
        'writes-in-upper',
        'lower-untouched',
      ],
      hints: [
        'Does `lowerdir` begin with the bottom layer or with the top layer?',
        "A function that puts a backslash before `:`, `,` and `\\` (`replace` with a regular expression), for every path in the options; then `map` and `join(':')`.",
        "`const escape = (path: string) => path.replace(/[\\\\:,]/g, '\\\\$&')`, and `'lowerdir=' + layers.lower.map(escape).join(':')`; the same for `upperdir` and `workdir`.",
      ],
    },
    {
      id: 'diff',
      title: 'List what a container has done',
      writes: 'changes',
      text: '`changes(upper, image)` lists what a container has done, in the form of `docker diff`. The image has one layer, and `image` is its directory. Return a line for each path: `A /root/new` for what was added, `C /etc/hosts` for what was changed, `D /etc/group` for what was deleted. What is in an added directory is added, too; what was in a deleted directory gets no line. A file that became a directory is `C`, and what is in the new directory is `A`; a directory that became a file is `C`, and what was in it gets no line. A file that was written with the same bytes is `C`, too. A directory that both have is merged and gets no line: only its entries count. A path begins with a slash and does not end with one. Never follow a symbolic link, in upper or in the image: it may lead to a file of your machine. The order of the lines does not matter.',
      checks: ['changes-listed'],
      hints: [
        'Upper says only what is different. For every entry that is not a deletion, look at the image: does it have this name, and is it a directory there? And one kind of directory hides files that upper does not mention.',
        "`readdirSync` of the directory in upper, and `lstatSync` of each entry: `isCharacterDevice()` with `rdev` 0 is a deletion. Every other entry is C if `readdirSync` of the same directory in the image has its name, else A; two directories get no line. Then go into the directory. Pass the image's path along only if it is a directory, too: below a file or a link the image has nothing. `readXattrs(path).get('user.overlay.opaque')` is `y` if everything that the image has there is hidden, also in the directories below.",
        "For one directory, with `old` for the names that the image has in it, and `opaque` if it or a directory above is opaque: `for (const name of old) if (opaque && !names.includes(name)) lines.push('D ' + path + '/' + name)`. Then each name of upper: `const both = isDirectory(above) && below !== undefined && isDirectory(below)`, where `below` is undefined unless `old.includes(name)`; `if (isDirectory(above)) lines.push(...list(above, both ? below : undefined, path + '/' + name, opaque))`.",
      ],
    },
    {
      id: 'names',
      title: "Name the entries of a layer's tar",
      writes: 'tarNames',
      text: 'Layers are distributed as tar archives, and a tar has no whiteouts. The OCI image specification uses names instead: an empty file `.wh.NAME` deletes NAME in the same directory, and an empty file `.wh..wh..opq` makes its directory opaque. `tarNames(upper, path)` gets a path in an upper directory, such as `etc/passwd`, and returns a list: the names of the entries that represent this path in the tar. Usually that is the path itself. The names are relative to the root of the layer; a `./` before a name and a `/` after it make no difference. Never follow a symbolic link.',
      checks: ['names-in-tar'],
      hints: [
        'There are three cases: an ordinary entry, a mark, and an entry that also has a mark.',
        'A whiteout: `dirname` and `basename` of the path, with `.wh.` between them. An opaque directory: its own name, and the name of the marker in it.',
        "`[join(dirname(path), '.wh.' + basename(path))]` for a whiteout, `[path, path + '/.wh..wh..opq']` for an opaque directory, else `[path]`.",
      ],
    },
  ],

  challenge:
    'Write the opposite: `apply(tar, image)` unpacks a layer onto a copy of the image, as a builder without overlay does: `.wh.NAME` deletes and `.wh..wh..opq` empties. A marker affects only the layers below, wherever it is in the tar. Compare with what the third container of `minilab step 5` sees.',

  reasons: [
    {
      call: 'mount("overlay"',
      task: 'mount',
      why: 'lowerdir is only read, upperdir takes what is written, and workdir is for the kernel itself; in a user namespace it needs `userxattr` for its marks.',
    },
  ],
}
