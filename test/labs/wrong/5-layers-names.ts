import type { WrongAnswer } from '../../../lib/labs/answer.ts'

// Wrong answers to the task of lab 5 that names the entries of a tar.

const AT = '  const at = join(upper, path)\n'
const WHITEOUT_NAME = '[join(dirname(path), `.wh.${basename(path)}`)]'
const OPAQUE_NAMES = '[`${path}/`, `${path}/.wh..wh..opq`]'
const NAMED = 'return [join(dirname(path), `.wh.${basename(path)}`)]'

export const wrongNames: WrongAnswer[] = [
  {
    task: 'names',
    name: 'the prefix before the path',
    belief: '.wh. marks a path',
    edits: [[WHITEOUT_NAME, '[`.wh.${path}`]']],
    says: 'an empty file in the same directory represents it',
  },
  {
    task: 'names',
    name: 'whiteouts as they are',
    belief: 'tar packs devices, so a whiteout is packed like any other file',
    edits: [[`  if (isWhiteout(at)) return ${WHITEOUT_NAME}\n`, '  void dirname\n  void basename\n']],
    says: 'A tar has no whiteouts',
  },
  {
    task: 'names',
    name: 'no opaque directories',
    belief: 'an extended attribute is packed with its directory',
    edits: [[`return isOpaque(at) ? ${OPAQUE_NAMES} : `, 'return ']],
    says: 'an empty file .wh..wh..opq in it says so',
  },
  {
    task: 'names',
    name: 'the marker alone',
    belief: 'the marker stands for the directory that it is in',
    edits: [[OPAQUE_NAMES, '[`${path}/.wh..wh..opq`]']],
    says: 'What was added or changed has its own name',
  },
  {
    task: 'names',
    name: 'the directories on the way, too',
    belief: 'a tar needs the directories of each of its files',
    edits: [
      [
        '  if (!isDirectory(at)) return [path]\n',
        "  if (!isDirectory(at)) return path.includes('/') ? [dirname(path), path] : [path]\n",
      ],
    ],
    says: 'is named more than once',
  },
  {
    task: 'names',
    name: 'the directory twice',
    belief: 'an opaque directory has an entry as a directory, and one as an opaque one',
    edits: [[OPAQUE_NAMES, '[`${path}/`, path, `${path}/.wh..wh..opq`]']],
    says: 'is named more than once',
  },
  {
    task: 'names',
    name: 'the expected names, written down',
    belief: 'a list that was right once stays right',
    edits: [
      [
        AT,
        `  if (path.startsWith('etc/')) return path === 'etc/group' ? ['etc/.wh.group'] : path === 'var' ? ['var/', 'var/.wh..wh..opq'] : [path]\n  return [path]\n${AT}`,
      ],
    ],
    says: 'an empty file',
  },
  {
    task: 'names',
    name: 'absolute names',
    belief: 'a path begins with a slash',
    edits: [[AT, `  if (!path.startsWith('/')) return tarNames(upper, '/' + path)\n${AT}`]],
    says: 'begins with a slash',
  },
  {
    task: 'names',
    name: 'paths of the host',
    belief: 'tar names a file as it is found',
    edits: [[WHITEOUT_NAME, '[join(dirname(at), `.wh.${basename(at)}`)]']],
    says: 'is a path of the host',
  },
  {
    task: 'names',
    name: 'the first part of that name replaced',
    belief: 'a name is in its path once',
    edits: [[WHITEOUT_NAME, '[path.replace(basename(path), name => `.wh.${name}`)]']],
    says: 'in the same directory',
  },
  {
    task: 'names',
    name: 'empty files as whiteouts',
    belief: 'a mark is an empty file in upper, too',
    edits: [['  if (isWhiteout(at)) return', '  if (isWhiteout(at) || lstatSync(at).size === 0) return']],
    says: 'is a file: a whiteout is a character device 0:0',
  },
  {
    task: 'names',
    name: 'a link to a whiteout as a whiteout',
    belief: 'stat and lstat differ for links that lead nowhere only',
    edits: [
      [
        'import { lstatSync, mkdirSync, readdirSync }',
        'import { existsSync, lstatSync, mkdirSync, readdirSync, statSync }',
      ],
      ['  if (isWhiteout(at)) return', '  if (existsSync(at) && statSync(at).isCharacterDevice()) return'],
    ],
    says: 'is a symbolic link, and the link itself counts',
  },
  {
    task: 'names',
    name: 'each directory as opaque',
    belief: 'a directory in upper stands for all that is in it',
    edits: [['return isOpaque(at) ? [', 'return isDirectory(at) ? [']],
    says: 'is not opaque',
  },
  {
    task: 'names',
    name: 'another name of the marker',
    belief: 'the marker is named as the attribute is',
    edits: [[OPAQUE_NAMES, '[`${path}/`, `${path}/.wh.opaque`]']],
    says: 'is named .wh..wh..opq',
  },
  {
    task: 'names',
    name: 'the marker beside the directory',
    belief: 'a marker is beside what it marks',
    edits: [[OPAQUE_NAMES, "[`${path}/`, join(dirname(path), '.wh..wh..opq')]"]],
    says: 'an empty file .wh..wh..opq in it says so',
  },
  {
    task: 'names',
    name: 'a text in place of a list',
    belief: 'a path has one name',
    edits: [['  if (!isDirectory(at)) return [path]\n', '  if (!isDirectory(at)) return path as never\n']],
    says: 'It must return a list of strings',
  },
  {
    task: 'names',
    name: 'every character device as a whiteout',
    belief: 'a container has no devices of its own, so each is a mark',
    edits: [['  if (isWhiteout(at)) return', '  if (lstatSync(at).isCharacterDevice()) return']],
    says: 'character device 0:0',
  },
  {
    task: 'names',
    name: 'an opaque directory as deleted, and there',
    belief: 'what was deleted and made again is a deletion and a directory',
    edits: [
      ['[`${path}/`, `${path}/.wh..wh..opq`]', '[join(dirname(path), `.wh.${basename(path)}`), `${path}/`]'],
    ],
    says: 'is named .wh..wh..opq',
  },
  {
    task: 'names',
    name: 'a whiteout and its name',
    belief: 'the mark stands beside what it marks',
    edits: [[NAMED, NAMED.replace('return [', 'return [path, ')]],
    says: "is not in this layer's tar",
  },
]
