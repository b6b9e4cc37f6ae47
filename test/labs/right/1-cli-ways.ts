import type { RightAnswer } from '../../../lib/labs/answer.ts'

// Right answers to lab 1 that few would write.

const CLOSE = '    tape.close_range(3, LAST_DESCRIPTOR, 0)\n'
const ATTEMPT = '    for (const path of places.slice(0, -1)) tape.attempt.execve(path, args, env)\n'
const EXECVE = '    tape.execve(places.at(-1)!, args, env)\n'
const STATUS = 'return exit.status ?? 128 + constants.signals[exit.signal!]'

export const rightWays: RightAnswer[] = [
  {
    task: 'environment',
    name: 'a Map, and back again',
    edits: [
      [
        '    const { args, env, cwd } = spec.process\n',
        `    const { args, cwd } = spec.process
    const variables = new Map(spec.process.env.map(e => [e.slice(0, e.indexOf('=')), e.slice(e.indexOf('=') + 1)]))
    const env = Array.from(variables, entry => entry.join('='))
`,
      ],
    ],
  },
  {
    task: 'descriptors',
    name: 'two ranges, after chdir',
    edits: [
      [CLOSE, ''],
      [
        '    tape.chdir(cwd)\n',
        '    tape.chdir(cwd)\n    tape.close_range(3, 1023, 0)\n    tape.close_range(1024, -1 >>> 0, 0)\n',
      ],
      ['const LAST_DESCRIPTOR = 0xffffffff\n', ''],
    ],
  },
  {
    task: 'descriptors',
    name: 'up to ~0, as in C',
    edits: [['const LAST_DESCRIPTOR = 0xffffffff\n', 'const LAST_DESCRIPTOR = ~0\n']],
  },
  {
    task: 'path',
    name: 'says what is missing, and ends with 127',
    edits: [
      [ATTEMPT, ATTEMPT.replace('places.slice(0, -1)', 'new Set(places)')],
      [
        EXECVE,
        `    const text = new TextEncoder().encode(\`\${args[0]}: not found\\n\`)
    tape.write(2, text, text.length)
    tape.exit_group(127)
`,
      ],
    ],
  },
  {
    task: 'status',
    name: 'bits put together',
    edits: [[STATUS, 'return exit.signal === null ? exit.status! : 0x80 | constants.signals[exit.signal]']],
  },
  {
    task: 'status',
    name: 'a list of its own',
    edits: [
      [
        STATUS,
        `const signals =
    'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
  if (exit.status !== null) return exit.status
  return 129 + signals.split(' ').indexOf(exit.signal!.slice('SIG'.length))`,
      ],
      ["import { constants } from 'node:os'\n", ''],
    ],
  },
]
