import type { WrongAnswer } from '../../../lib/labs/answer.ts'

// Wrong answers to the task of lab 5 that lists the changes: what is a mark, and what it hides.

const WHITEOUT = '  return stat.isCharacterDevice() && stat.rdev === 0\n'
const OPAQUE = "  return readXattrs(path).get('user.overlay.opaque')?.toString() === 'y'\n"
const WALK = "  return changesIn(upper, image, '', false)\n"

export const wrongMarks: WrongAnswer[] = [
  {
    task: 'diff',
    name: 'opaque for all that comes later',
    belief: 'one variable is enough to remember that a directory was opaque',
    edits: [
      [WALK, "  anyOpaque = false\n  return changesIn(upper, image, '', false)\n"],
      ['export function changes(', 'let anyOpaque = false\n\nexport function changes('],
      [
        '  const opaque = hidden || isOpaque(upper)\n',
        '  anyOpaque ||= hidden || isOpaque(upper)\n  const opaque = anyOpaque\n',
      ],
    ],
    says: 'Only an opaque directory hides',
  },
  {
    task: 'diff',
    name: 'an opaque directory as changed',
    belief: 'a directory that was made anew is another one',
    edits: [['else if (!merged) lines', 'else if (!merged || isOpaque(above)) lines']],
    says: 'the two are merged',
  },
  {
    task: 'diff',
    name: 'every character device as a whiteout',
    belief: 'a container has no devices of its own, so each is a mark',
    edits: [[WHITEOUT, '  return stat.isCharacterDevice()\n']],
    says: 'character device 0:0',
  },
  {
    task: 'diff',
    name: 'the attribute, whatever its value',
    belief: 'an attribute that is there says yes',
    edits: [[OPAQUE, "  return readXattrs(path).has('user.overlay.opaque')\n"]],
    says: 'opaque',
  },
]
