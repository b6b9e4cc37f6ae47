import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { rightWays } from './1-cli-ways.ts'

const CLOSE = '    tape.close_range(3, LAST_DESCRIPTOR, 0)\n'
const CHDIR = '    tape.chdir(cwd)\n'

export const right: RightAnswer[] = [
  ...rightWays,
  {
    task: 'execve',
    name: 'the program by another path',
    edits: [
      [
        "if (command.includes('/')) return [command]",
        "if (command.includes('/')) return ['/proc/self/root' + command]",
      ],
    ],
  },
  {
    task: 'directory',
    name: 'by a descriptor',
    edits: [
      ['import { type Exit', 'import { AT_FDCWD, O_DIRECTORY, O_RDONLY, type Exit'],
      [CLOSE, ''],
      [CHDIR, `    tape.fchdir(tape.openat(AT_FDCWD, cwd, O_RDONLY | O_DIRECTORY, 0))\n${CLOSE}`],
    ],
  },
  {
    task: 'descriptors',
    name: 'marked close-on-exec',
    edits: [
      ['import { type Exit', 'import { CLOSE_RANGE_CLOEXEC, type Exit'],
      [CLOSE, '    tape.close_range(3, LAST_DESCRIPTOR, CLOSE_RANGE_CLOEXEC)\n'],
    ],
  },
  {
    task: 'path',
    name: 'attempts only',
    edits: [
      ['for (const path of places.slice(0, -1))', 'for (const path of places)'],
      ['    tape.execve(places.at(-1)!, args, env)\n', ''],
    ],
  },
  {
    task: 'status',
    name: 'asked the other way round',
    edits: [
      [
        'return exit.status ?? 128 + constants.signals[exit.signal!]',
        'return exit.signal ? 128 + constants.signals[exit.signal] : exit.status!',
      ],
    ],
  },
]
