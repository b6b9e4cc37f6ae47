import type { WrongAnswer } from '../../../lib/labs/answer.ts'

// Wrong answers to lab 1 that are right for the container that one sees, and wrong for another.

const EXECVE = '    tape.execve(places.at(-1)!, args, env)\n'
const GIVEN = '    const { args, env, cwd } = spec.process\n'
const CHDIR = '    tape.chdir(cwd)\n'
const CLOSE = '    tape.close_range(3, LAST_DESCRIPTOR, 0)\n'
const ATTEMPT = '    for (const path of places.slice(0, -1)) tape.attempt.execve(path, args, env)\n'
const PATH = "env.find(entry => entry.startsWith('PATH='))?.slice('PATH='.length)"
const STATUS = 'exit.status ?? 128 + constants.signals[exit.signal!]'
const NODE_OS = "import { constants } from 'node:os'\n"

export const wrongInputs: WrongAnswer[] = [
  {
    task: 'descriptors',
    name: 'one by one',
    belief: 'what is open now is what the child will have',
    edits: [
      [
        "import { constants } from 'node:os'\n",
        "import { readdirSync } from 'node:fs'\nimport { constants } from 'node:os'\n",
      ],
      [
        CLOSE,
        "    for (const fd of readdirSync('/proc/self/fd')) if (Number(fd) > 2) tape.attempt.close(Number(fd))\n",
      ],
    ],
    says: 'neither closed nor marked close-on-exec',
  },
  {
    task: 'execve',
    name: 'without the empty ones',
    belief: 'an empty argument is no argument',
    edits: [
      [
        GIVEN,
        '    const { env, cwd } = spec.process\n    const args = spec.process.args.filter(arg => arg)\n',
      ],
    ],
    says: 'an empty argument is an argument too',
  },
  {
    task: 'execve',
    name: 'the short name first',
    belief: 'the first argument is the name without its folder, as ps shows it',
    edits: [
      [EXECVE, "    tape.execve(places.at(-1)!, [args[0]!.split('/').at(-1)!, ...args.slice(1)], env)\n"],
    ],
    says: "with the program's own name first",
  },
  {
    task: 'execve',
    name: 'by spawnSync',
    belief: 'starting a program is what spawnSync of Node does',
    edits: [
      [NODE_OS, `import { spawnSync } from 'node:child_process'\n${NODE_OS}`],
      [
        EXECVE,
        "    spawnSync(places.at(-1)!, args.slice(1), { env: Object.fromEntries(env.map(e => e.split('='))), cwd })\n",
      ],
    ],
    says: 'none of them was an execve',
  },
  {
    task: 'execve',
    name: 'execve of Node',
    belief: 'process.execve() is the same as tape.execve()',
    edits: [
      [EXECVE, "    process.execve!(places.at(-1)!, args, Object.fromEntries(env.map(e => e.split('='))))\n"],
    ],
    says: 'process.execve',
  },
  {
    task: 'environment',
    name: 'split at every =',
    belief: 'an entry has one =, between the name and the value',
    edits: [
      [
        GIVEN,
        `    const { args, cwd } = spec.process
    const env = spec.process.env.map(entry => entry.split('=')).map(([name, value]) => \`\${name}=\${value}\`)
`,
      ],
    ],
    says: 'in another form',
  },
  {
    task: 'directory',
    name: 'the one that the comment names',
    belief: 'the working directory is always /tmp',
    edits: [[CHDIR, "    tape.chdir('/tmp')\n"]],
    says: 'but was sent elsewhere',
  },
  {
    task: 'descriptors',
    name: 'up to 1023',
    belief: 'a process can have 1024 descriptors, as ulimit -n says',
    edits: [[CLOSE, '    tape.close_range(3, 1023, 0)\n']],
    says: 'neither closed nor marked close-on-exec',
  },
  {
    task: 'descriptors',
    name: 'from 4 on',
    belief: 'above 2 and 3 …: the first that is too much is 4',
    edits: [[CLOSE, '    tape.close_range(4, LAST_DESCRIPTOR, 0)\n']],
    says: 'neither closed nor marked close-on-exec',
  },
  {
    task: 'path',
    name: 'the name replaced by the path',
    belief: "a program's own name is the path at which it was found",
    edits: [
      [ATTEMPT, ATTEMPT.replace('(path, args, env)', '(path, [path, ...args.slice(1)], env)')],
      [EXECVE, '    tape.execve(places.at(-1)!, [places.at(-1)!, ...args.slice(1)], env)\n'],
    ],
    says: 'its arguments are not',
  },
  {
    task: 'path',
    name: 'any entry with PATH in it',
    belief: 'only one variable has PATH in its name',
    edits: [[PATH, "env.find(entry => entry.includes('PATH='))?.split('=')[1]"]],
    says: 'not in a folder of the PATH in spec.process.env',
  },
  {
    task: 'path',
    name: 'a relative path searched',
    belief: 'a path begins with a slash, and all else is a name',
    edits: [["if (command.includes('/'))", "if (command.startsWith('/'))"]],
    says: 'has a slash',
  },
  {
    task: 'path',
    name: 'ours, and 127 in the end',
    belief: 'the PATH is the one that we have ourselves',
    edits: [
      [PATH, 'process.env.PATH'],
      [ATTEMPT, ATTEMPT.replace('places.slice(0, -1)', 'places')],
      [EXECVE, '    tape.exit_group(127)\n'],
    ],
    says: 'not in a folder of the PATH in spec.process.env',
  },
  {
    task: 'status',
    name: 'the usual ones only',
    belief: 'these are the signals that there are',
    edits: [
      [
        'constants.signals[exit.signal!]',
        '{ SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 }[exit.signal as "SIGHUP"]',
      ],
      [NODE_OS, ''],
    ],
    says: 'it is 128 plus the number of the signal',
  },
  {
    task: 'status',
    name: 'counted in a list',
    belief: 'the number of a signal is its place in the list',
    edits: [['constants.signals[exit.signal!]', 'Object.keys(constants.signals).indexOf(exit.signal!)']],
    says: 'it is 128 plus the number of the signal',
  },
  {
    task: 'status',
    name: 'as text',
    belief: '$? is text',
    edits: [[STATUS, '`${exit.status ?? 128 + constants.signals[exit.signal!]}` as unknown as number']],
    says: 'text',
  },
  {
    task: 'status',
    name: 'name and number added',
    belief: 'a signal is a number, also in Node',
    edits: [['constants.signals[exit.signal!]', '(exit.signal as unknown as number)']],
    says: 'text',
  },
  {
    task: 'status',
    name: 'async',
    belief: 'a function may as well be async',
    edits: [
      [
        'export function shellStatus(exit: Exit): number {',
        'export async function shellStatus(exit: Exit): Promise<number> {',
      ],
    ],
    says: 'a promise',
  },
]
