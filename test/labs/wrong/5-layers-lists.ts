import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { CHANGES, IS_OPAQUE, IS_WHITEOUT, LISTED, WHITEOUT_NAME } from '../lines/5-layers.ts'

// What is read in an upper directory, and what is taken for a change.

export const wrongLists: WrongAnswer[] = [
  {
    task: 'diff',
    name: 'readdirSync with recursive',
    belief: 'recursive stays in the directory that it was given',
    edits: [
      [
        CHANGES,
        `  const names = readdirSync(upper, { recursive: true, withFileTypes: true }).map(entry => join(entry.parentPath, entry.name))
  return [...changesIn(upper, image, '', false), ...names.filter(name => lstatSync(name).isFile()).map(name => \`A \${name.slice(upper.length)}\`)].filter((line, i, all) => all.findIndex(other => other.slice(2) === line.slice(2)) === i)
`,
      ],
    ],
    says: 'is a symbolic link, and it was followed (`recursive` of readdirSync does that, too)',
  },
  {
    task: 'diff',
    name: 'names with a dot skipped',
    belief: 'a name that begins with a dot is hidden',
    edits: [
      [
        '  for (const name of names) {',
        "  for (const name of names.filter(name => !name.startsWith('.'))) {",
      ],
    ],
    says: 'A name that begins with a dot is a name like any other',
  },
  {
    task: 'diff',
    name: 'changed where the size is another',
    belief: 'a file that was written has another size',
    edits: [
      [
        LISTED,
        LISTED.replace(
          '(!merged)',
          '(!merged && !(below && lstatSync(above).isFile() && lstatSync(above).size === lstatSync(below).size))',
        ),
      ],
    ],
    says: 'has the same bytes as in the image, but it is still C',
  },
  {
    task: 'diff',
    name: 'the attribute of root',
    belief: 'overlay marks in trusted.*, whatever the options say',
    edits: [[IS_OPAQUE, IS_OPAQUE.replace('user.', 'trusted.')]],
    says: 'it hides everything that the image has in it',
  },
  {
    task: 'diff',
    name: 'lines in a variable of the module',
    belief: 'a file is loaded for each call',
    edits: [
      ['export function changes(', 'const found: string[] = []\n\nexport function changes('],
      [CHANGES, "  found.push(...changesIn(upper, image, '', false))\n  return found\n"],
    ],
    says: 'a variable outside the function keeps what was found before',
  },
  {
    task: 'diff',
    name: 'whiteouts by their names',
    belief: 'upper has the whiteouts of a tar',
    edits: [[IS_WHITEOUT, "  return stat.size === 0 && basename(path).startsWith('.wh.')\n"]],
    says: 'is a whiteout: a character device 0:0 says that this name was deleted',
  },
  {
    task: 'diff',
    name: 'what was kept in an opaque directory as added',
    belief: 'in a new directory all is new',
    edits: [[LISTED, LISTED.replace('below ?', 'below && !opaque ?')]],
    says: 'it was changed, not added',
  },
  {
    task: 'diff',
    name: 'all of an opaque directory as deleted',
    belief: 'what was deleted and made again is in the list twice',
    edits: [['old.filter(name => !names.includes(name)).map', 'old.map']],
    says: 'so it was not deleted',
  },
  {
    task: 'diff',
    name: 'the numbers of a device alone',
    belief: 'only a whiteout has the numbers 0:0',
    edits: [[IS_WHITEOUT, '  return stat.rdev === 0\n']],
    says: 'is in upper as a directory, so it was not deleted',
  },
  {
    task: 'names',
    name: 'the name itself, and the whiteout',
    belief: 'the mark comes besides what it marks',
    edits: [[WHITEOUT_NAME, WHITEOUT_NAME.replace('return [', 'return [path, ')]],
    says: "is not in this layer's tar",
  },
  {
    task: 'names',
    name: 'wh without a dot before it',
    belief: 'the prefix is wh.',
    edits: [[WHITEOUT_NAME, WHITEOUT_NAME.replace('.wh.', 'wh.')]],
    says: 'named .wh. and then the deleted name',
  },
  {
    task: 'names',
    name: 'all that is in a directory',
    belief: 'a directory stands for its files',
    edits: [
      [
        '  if (!isDirectory(at)) return [path]\n',
        '  if (!isDirectory(at)) return [path]\n  if (!isOpaque(at)) return readdirSync(at).map(name => join(path, name))\n',
      ],
    ],
    says: 'What was added or changed has its own name',
  },
  {
    task: 'names',
    name: 'nothing for a directory',
    belief: 'a tar has files only',
    edits: [['`${path}/.wh..wh..opq`] : [`${path}/`]', '`${path}/.wh..wh..opq`] : []']],
    says: 'What was added or changed has its own name',
  },
]
