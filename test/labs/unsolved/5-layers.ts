import type { Unsolved } from '../../../lib/labs/answer.ts'

export const unsolved: Unsolved[] = [
  {
    task: 'marks',
    edits: [["      'userxattr', // a user namespace may write user.* attributes, and no trusted.*\n", '']],
  },
  {
    task: 'stack',
    edits: [
      ["layers.lower.map(escape).join(':')", 'layers.lower[0]'],
      ["path.replace(/[\\\\:,]/g, '\\\\$&')", 'path'],
    ],
  },
  {
    task: 'diff',
    edits: [["  return changesIn(upper, image, '', false)\n", '  return []\n']],
  },
  {
    task: 'names',
    edits: [['  const at = join(upper, path)\n', '  if (path) return []\n  const at = join(upper, path)\n']],
  },
]
