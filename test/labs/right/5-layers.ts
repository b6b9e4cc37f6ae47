import type { RightAnswer } from '../../../lib/labs/answer.ts'

const OLD_OPTIONS = "options.join(',')"

export const right: RightAnswer[] = [
  {
    task: 'mount',
    name: 'the options in another order, and the directories by mkdir -p',
    edits: [
      [OLD_OPTIONS, "options.toReversed().join(',')"],
      ['mkdirSync(path)', 'mkdirSync(path, { recursive: true })'],
    ],
  },
  {
    task: 'mount',
    name: 'the directories made by the child',
    edits: [
      ['    const { folder } = container.layers\n', ''],
      [
        "    for (const path of [join(folder, 'upper'), join(folder, 'work'), container.rootfs]) mkdirSync(path)\n",
        '',
      ],
      [
        "    tape.mount('overlay'",
        "    const { folder } = layers\n    for (const path of [join(folder, 'upper'), join(folder, 'work'), rootfs]) tape.mkdirat(AT_FDCWD, path, 0o755)\n    tape.mount('overlay'",
      ],
      ['import { lstatSync, mkdirSync, readdirSync }', 'import { lstatSync, readdirSync }'],
      ['makeFolder, type Part', 'AT_FDCWD, makeFolder, type Part'],
    ],
  },
  {
    task: 'marks',
    name: 'with what Docker adds besides',
    edits: [["'userxattr', //", "'userxattr,index=off,metacopy=off', //"]],
  },
  {
    task: 'stack',
    name: 'each layer found by a short name',
    edits: [
      [
        "const escape = (path: string) => path.replace(/[\\\\:,]/g, '\\\\$&')",
        "const escape = (path: string) => [...path].map(c => (':,\\\\'.includes(c) ? `\\\\${c}` : c)).join('')",
      ],
    ],
  },
  {
    task: 'diff',
    name: 'all names first, then what became of each',
    edits: [
      [
        "    else if (!isDirectory(above) || !isDirectory(below))\n      found.push(`${old.includes(name) ? 'C' : 'A'} /${path}`)\n    if (isDirectory(above)) found.push(...changes(upper, image, path, opaque))",
        '    else if (!old.includes(name)) found.unshift(`A /${path}`)\n    else if (!(isDirectory(above) && isDirectory(below))) found.unshift(`C /${path}`)\n    if (isDirectory(above)) found.unshift(...changes(upper, image, path, opaque))',
      ],
    ],
  },
  {
    task: 'names',
    name: 'without the slash at the end of a directory',
    edits: [
      [
        'return isOpaque(at) ? [`${path}/`, `${path}/.wh..wh..opq`] : [`${path}/`]',
        "return isOpaque(at) ? [join(path, '.wh..wh..opq'), path] : [path]",
      ],
    ],
  },
]
