import type { Unsolved } from '../../../lib/labs/answer.ts'

export const unsolved: Unsolved[] = [
  {
    task: 'environment',
    edits: [['tape.execve(args[0]!, args, env)', 'tape.execve(args[0]!, args, [])']],
  },
  { task: 'directory', edits: [['    tape.chdir(cwd)\n', '']] },
  { task: 'descriptors', edits: [['    tape.close_range(3, LAST_DESCRIPTOR, 0)\n', '']] },
  {
    task: 'path',
    edits: [
      ["    const places = placesOf(args[0] ?? '', env)\n", ''],
      ['    for (const path of places.slice(0, -1)) tape.attempt.execve(path, args, env)\n', ''],
      ['tape.execve(places.at(-1)!, args, env)', 'tape.execve(args[0]!, args, env)'],
    ],
  },
  {
    task: 'status',
    edits: [
      [
        'return exit.status ?? 128 + constants.signals[exit.signal!]',
        "throw new Error('shellStatus is not written yet')",
      ],
    ],
  },
]
