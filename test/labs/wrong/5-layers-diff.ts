import type { WrongAnswer } from '../../../lib/labs/answer.ts'

// Wrong answers to the task of lab 5 that lists the changes.

// the imports, with other ways to ask for a file
const STATS: [string, string] = [
  'import { lstatSync, mkdirSync, readdirSync }',
  'import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync }',
]
const CHANGES = "  return changesIn(upper, image, '', false)\n"
const BELOW = 'const below = image !== undefined && old.includes(name) ? join(image, name) : undefined'
const MERGED = 'const merged = isDirectory(above) && below !== undefined && isDirectory(below)'
const DELETED = '    if (isWhiteout(above)) lines.push(`D ${path}/${name}`)\n    else if'
const LINE = "lines.push(`${below ? 'C' : 'A'} ${path}/${name}`)"
const INTO =
  'if (isDirectory(above))\n      lines.push(...changesIn(above, merged ? below : undefined, `${path}/${name}`, opaque))'

export const wrongDiffs: WrongAnswer[] = [
  {
    task: 'diff',
    name: 'whiteouts as files',
    belief: 'what is in upper was added or changed',
    edits: [[DELETED, '    if']],
    says: 'is a whiteout: a character device 0:0 says that this name was deleted',
  },
  {
    task: 'diff',
    name: 'opaque as any other',
    belief: 'all that was deleted has a whiteout',
    edits: [['const opaque = hidden || isOpaque(upper)', 'const opaque = hidden']],
    says: 'it hides everything that the image has in it',
  },
  {
    task: 'diff',
    name: 'links followed',
    belief: 'stat and lstat tell the same of a file',
    edits: [
      STATS,
      [
        CHANGES,
        `  for (const path of readdirSync(upper, { recursive: true })) statSync(join(upper, String(path)))\n${CHANGES}`,
      ],
    ],
    says: 'ENOENT',
  },
  {
    task: 'diff',
    name: 'all directories',
    belief: 'a directory in upper is one that was added or changed',
    edits: [['    else if (!merged) lines', '    else lines']],
    says: 'that the image has, too: the two are merged',
  },
  {
    task: 'diff',
    name: 'all added',
    belief: 'what is in upper is new',
    edits: [[LINE, 'lines.push(`A ${path}/${name}`)']],
    says: 'it was changed, not added',
  },
  {
    task: 'diff',
    name: 'empty files as whiteouts',
    belief: 'a deletion is an empty file',
    edits: [
      [
        DELETED,
        '    if (isWhiteout(above) || lstatSync(above).size === 0) lines.push(`D ${path}/${name}`)\n    else if',
      ],
    ],
    says: 'is an empty file, so it was not deleted',
  },
  {
    task: 'diff',
    name: 'a link to a whiteout as a whiteout',
    belief: 'stat and lstat differ for links that lead nowhere only',
    edits: [
      STATS,
      [
        DELETED,
        '    if (existsSync(above) && statSync(above).isCharacterDevice()) lines.push(`D ${path}/${name}`)\n    else if',
      ],
    ],
    says: 'is a symbolic link, and the link itself counts',
  },
  {
    task: 'diff',
    name: 'links to directories followed',
    belief: 'a link to a directory is a directory',
    edits: [
      STATS,
      [INTO, INTO.replace('isDirectory(above)', 'existsSync(above) && statSync(above).isDirectory()')],
    ],
    says: 'is a symbolic link, and it was followed',
  },
  {
    task: 'diff',
    name: 'links of the image followed',
    belief: 'what the image has at a path is what the path leads to',
    edits: [
      STATS,
      [
        MERGED,
        'const merged = isDirectory(above) && below !== undefined && existsSync(below) && statSync(below).isDirectory()',
      ],
    ],
    says: 'In the image /',
  },
  {
    task: 'diff',
    name: 'a link of the image that leads nowhere as nothing',
    belief: 'existsSync tells whether a name is there',
    edits: [
      STATS,
      [
        BELOW,
        'const below = image !== undefined && existsSync(join(image, name)) ? join(image, name) : undefined',
      ],
    ],
    says: 'which exists wherever it leads',
  },
  {
    task: 'diff',
    name: 'the image asked at each path',
    belief: 'a path that is in upper leads somewhere in the image, or ends in nothing',
    edits: [
      STATS,
      [
        BELOW,
        'const below = image && lstatSync(join(image, name), { throwIfNoEntry: false }) ? join(image, name) : undefined',
      ],
      ['merged ? below : undefined, `', 'image && join(image, name), `'],
      ['image === undefined ? []', '!image || !existsSync(image) ? []'],
    ],
    says: 'ENOTDIR',
  },
  {
    task: 'diff',
    name: 'only the marked directory as opaque',
    belief: 'each directory that hides something is marked',
    edits: [['const opaque = hidden || isOpaque(upper)', 'const opaque = isOpaque(upper)']],
    says: 'so it also hides',
  },
  {
    task: 'diff',
    name: 'the expected lines, written down',
    belief: 'the list is always the same',
    edits: [
      [
        CHANGES,
        "  return ['C /etc/os-release', 'C /etc/passwd', 'D /etc/group', 'A /root/a', 'D /var/tmp']\n",
      ],
    ],
    says: 'is still visible in the container',
  },
  {
    task: 'diff',
    name: 'paths without a slash',
    belief: 'a path in a layer is relative',
    edits: [[CHANGES, "  return changesIn(upper, image, '', false).map(line => line.replace('/', ''))\n"]],
    says: 'has no slash at the beginning of the path',
  },
  {
    task: 'diff',
    name: 'a slash after directories',
    belief: 'a directory is written with a slash at the end',
    edits: [[LINE, "lines.push(`${below ? 'C' : 'A'} ${path}/${name}${isDirectory(above) ? '/' : ''}`)"]],
    says: 'ends with a slash',
  },
  {
    task: 'diff',
    name: 'paths of the host',
    belief: 'a path is where the file is found',
    edits: [[CHANGES, '  return changesIn(upper, image, upper, false)\n']],
    says: 'has a path of the host in it',
  },
  {
    task: 'diff',
    name: 'each line twice',
    belief: 'a list may have a line more than once',
    edits: [[LINE, `{ ${LINE}; ${LINE} }`]],
    says: 'is in the list twice',
  },
  {
    task: 'diff',
    name: 'what was in a deleted directory',
    belief: 'all that is gone was deleted',
    edits: [
      [
        DELETED,
        '    if (isWhiteout(above) && below && isDirectory(below)) for (const gone of readdirSync(below)) lines.push(`D ${path}/${name}/${gone}`)\n' +
          DELETED,
      ],
    ],
    says: 'gets a line',
  },
  {
    task: 'diff',
    name: 'another kind as added',
    belief: 'a directory in the place of a file is new',
    edits: [
      [
        LINE,
        "lines.push(`${below && isDirectory(above) === isDirectory(below) ? 'C' : 'A'} ${path}/${name}`)",
      ],
    ],
    says: 'the name was there, so it was changed',
  },
  {
    task: 'diff',
    name: 'changed where the content is another',
    belief: 'a file is changed by what is in it',
    edits: [
      STATS,
      [
        '    else if (!merged) lines',
        '    else if (below && lstatSync(above).isFile() && lstatSync(below).isFile() && readFileSync(above).equals(readFileSync(below))) continue\n    else if (!merged) lines',
      ],
    ],
    says: 'has the same bytes as in the image, but it is still C',
  },
  {
    task: 'diff',
    name: 'added directories not gone into',
    belief: 'an added directory is one addition',
    edits: [[INTO, INTO.replace('isDirectory(above)', 'merged')]],
    says: 'What is in an added directory is added, too',
  },
  {
    task: 'diff',
    name: 'an asynchronous function',
    belief: 'whatever reads files is async',
    edits: [['export function changes(', 'export async function changes(']],
    says: 'returned a promise',
  },
  {
    task: 'diff',
    name: 'directories skipped',
    belief: 'a change is one of a file',
    edits: [['    else if (!merged) lines', '    else if (!isDirectory(above)) lines']],
    says: 'it was',
  },
  {
    task: 'diff',
    name: 'all of a replaced directory as deleted',
    belief: 'an opaque directory has deleted all that the image has in it',
    edits: [['old.filter(name => !names.includes(name)).map', 'old.map']],
    says: 'was not deleted',
  },
]
