import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { wrongInputs } from './1-cli-inputs.ts'

const EXECVE = '    tape.execve(places.at(-1)!, args, env)\n'
const GIVEN = '    const { args, env, cwd } = spec.process\n'
const CHDIR = '    tape.chdir(cwd)\n'
const CLOSE = '    tape.close_range(3, LAST_DESCRIPTOR, 0)\n'
const ATTEMPT = '    for (const path of places.slice(0, -1)) tape.attempt.execve(path, args, env)\n'
const NAME = "  name: 'process',\n"
const STATUS = 'exit.status ?? 128 + constants.signals[exit.signal!]'

/** What the learner takes in the place of something that is asked for. */
const given = (names: string, instead: string): [string, string] => [
  GIVEN,
  `    const { ${names} } = spec.process\n    ${instead}\n`,
]

export const wrong: WrongAnswer[] = [
  ...wrongInputs,
  {
    task: 'execve',
    name: 'no execve',
    belief: 'a child that was cloned is the program already',
    edits: [[EXECVE, '']],
    says: 'none of them was an execve',
  },
  {
    task: 'execve',
    name: 'without its own name',
    belief: 'the path names the program, and the arguments are what comes after it',
    edits: [[EXECVE, '    tape.execve(places.at(-1)!, args.slice(1), env)\n']],
    says: 'the program in the container has ended',
  },
  {
    task: 'execve',
    name: 'one string',
    belief: 'a command is one string',
    edits: [[EXECVE, "    tape.execve(places.at(-1)!, [args.join(' ')], env)\n"]],
    says: 'joined into one string',
  },
  {
    task: 'execve',
    name: 'the command line as a path',
    belief: 'execve takes apart a command line, as a shell does',
    edits: [[EXECVE, "    tape.execve(args.join(' '), args, env)\n"]],
    says: 'execve("/bin/sh -s -- one two words ", ',
  },
  {
    task: 'execve',
    name: 'below a shell',
    belief: 'a program is started by a shell, which passes everything on',
    edits: [
      [
        EXECVE,
        `    tape.execve('/bin/sh', ['/bin/sh', '-c', 'trap : USR1; "$@"; exit $?', 'sh', ...args], env)\n`,
      ],
    ],
    says: 'not the program but a wrapper',
  },
  {
    task: 'execve',
    name: 'isolated from the start',
    belief: 'a process needs a flag of clone to be one',
    edits: [
      ['import { type Exit', 'import { CLONE_NEWUTS, type Exit'],
      [NAME, `${NAME}  flags: () => CLONE_NEWUTS,\n`],
    ],
    says: 'CLONE_NEW* flags',
  },

  {
    task: 'environment',
    name: 'ours',
    belief: 'a program inherits the environment of its parent',
    edits: [
      given(
        'args, cwd',
        'const env = Object.entries(process.env).map(([name, value]) => `${name}=${value}`)',
      ),
    ],
    says: 'our own environment was passed to execve',
  },
  {
    task: 'environment',
    name: 'none',
    belief: 'the environment comes by itself',
    edits: [given('args, cwd', 'const env: string[] = []')],
    says: 'an empty environment',
  },
  {
    task: 'environment',
    name: 'names only',
    belief: 'a variable that is empty, or that we do not know, need not be passed on',
    edits: [given('args, cwd, env: all', "const env = all.filter(entry => entry.startsWith('PATH='))")],
    says: 'LESSON EMPTY LS_COLORS did not arrive',
  },
  {
    task: 'environment',
    name: 'one more',
    belief: 'a variable more does no harm',
    edits: [given('args, cwd, env: all', "const env = [...all, 'CONTAINER=minilab']")],
    says: 'CONTAINER, which it was not meant to get',
  },

  {
    task: 'directory',
    name: 'left out',
    belief: 'the working directory belongs to the description, and the kernel reads it',
    edits: [[CHDIR, '']],
    says: 'chdir was left out',
  },
  {
    task: 'directory',
    name: 'after the execve',
    belief: 'first the program, then its directory',
    edits: [
      [CHDIR, ''],
      [EXECVE, `${EXECVE}${CHDIR}`],
    ],
    says: 'stands after `execve`, which does not return',
  },
  {
    task: 'directory',
    name: 'ours',
    belief: 'process.chdir() is the same, as the child inherits it',
    edits: [[CHDIR, '    process.chdir(cwd)\n']],
    says: 'process.chdir() moves the process that runs this JavaScript',
  },
  {
    task: 'directory',
    name: 'another one',
    belief: 'a program starts where its files are',
    edits: [[CHDIR, "    tape.chdir('/proc')\n"]],
    says: 'but was sent elsewhere',
  },

  {
    task: 'descriptors',
    name: 'left out',
    belief: 'a new program begins with 0, 1 and 2',
    edits: [[CLOSE, '']],
    says: 'neither closed nor marked close-on-exec',
  },
  {
    task: 'descriptors',
    name: 'a few',
    belief: 'open descriptors have small numbers',
    edits: [[CLOSE, '    tape.close_range(3, 63, 0)\n']],
    says: 'neither closed nor marked close-on-exec',
  },
  {
    task: 'descriptors',
    name: 'all',
    belief: 'the program opens its own 0, 1 and 2',
    edits: [[CLOSE, '    tape.close_range(0, LAST_DESCRIPTOR, 0)\n']],
    says: 'the program in the container has ended',
  },
  {
    task: 'descriptors',
    name: 'after the execve',
    belief: 'the tape goes on in the program',
    edits: [
      [CLOSE, ''],
      [EXECVE, `${EXECVE}${CLOSE}`],
    ],
    says: 'stands after `execve`, which does not return',
  },

  {
    task: 'path',
    name: 'the name as it is',
    belief: 'execve searches the PATH',
    edits: [
      [ATTEMPT, ''],
      [EXECVE, '    tape.execve(args[0]!, args, env)\n'],
    ],
    says: 'execve takes a path and does not search',
  },
  {
    task: 'path',
    name: 'found on the host',
    belief: 'whether a file is there can be seen before',
    edits: [
      [
        "import { constants } from 'node:os'\n",
        "import { existsSync } from 'node:fs'\nimport { constants } from 'node:os'\n",
      ],
      [ATTEMPT, ''],
      [EXECVE, '    tape.execve(places.find(place => existsSync(place)) ?? args[0]!, args, env)\n'],
    ],
    says: 'its files are not ours',
  },
  {
    task: 'path',
    name: 'ours',
    belief: 'the PATH is the one that we have ourselves',
    edits: [["env.find(entry => entry.startsWith('PATH='))?.slice('PATH='.length)", 'process.env.PATH']],
    says: 'not in a folder of the PATH in spec.process.env',
  },
  {
    task: 'path',
    name: 'no attempts',
    belief: 'the child goes on after a call that was refused',
    edits: [['tape.attempt.execve(path', 'tape.execve(path']],
    says: 'unless it is recorded with tape.attempt',
  },
  {
    task: 'path',
    name: 'stops at what cannot be executed',
    belief: 'the only reason to go on is that it is not there',
    edits: [['tape.attempt.execve(path', 'tape.ifThere.execve(path']],
    says: 'EACCES',
  },
  {
    task: 'path',
    name: 'by a shell',
    belief: 'a shell can do the search, given the command line',
    edits: [
      [
        ATTEMPT,
        "    if (!args[0]!.includes('/')) tape.execve('/bin/sh', ['sh', '-c', args.join(' ')], env)\n",
      ],
    ],
    says: 'its arguments are not',
  },
  {
    task: 'path',
    name: 'the last one',
    belief: 'what is found later takes the place of what was found before',
    edits: [["path.split(':')", "path.split(':').reverse()"]],
    says: 'try the folders in their order',
  },

  {
    task: 'status',
    name: 'a death is success',
    belief: 'who was killed has no status, so it is 0',
    edits: [[STATUS, 'exit.status ?? 0']],
    says: 'must not look like an exit',
  },
  {
    task: 'status',
    name: 'the number alone',
    belief: 'the number of the signal says it',
    edits: [[STATUS, 'exit.status ?? constants.signals[exit.signal!]']],
    says: 'the number of the signal alone',
  },
  {
    task: 'status',
    name: 'always 128',
    belief: '128 means: by a signal',
    edits: [[STATUS, 'exit.status ?? 128']],
    says: 'the same for every signal',
  },
  {
    task: 'status',
    name: 'or',
    belief: '|| takes the right side where there is nothing on the left',
    edits: [[STATUS, 'exit.status || 128 + constants.signals[exit.signal!]']],
    says: 'takes 0 for nothing',
  },
]
