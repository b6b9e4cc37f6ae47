import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { hierarchyOf } from '../../../lib/kernel/cgroup/cgroupfs.ts'

// What is written to the freezer, and how it is waited for.

const DONE_V1 = "    await until(() => readFileSync(file, 'utf8').trim() === state, 5000)\n"
const DONE_V2 =
  "    await until(() => readFileSync(events, 'utf8').includes(`frozen ${state}`), 5000, events)\n"
const TOLD_V1 = '    writeControl(file, state)\n'
const TOLD_V2 = "    writeControl(join(path, 'cgroup.freeze'), state)\n"
const STATES: [string, string][] = [
  ["frozen ? 'FROZEN' : 'THAWED'", "'FROZEN'"],
  ["frozen ? '1' : '0'", "'1'"],
]
/** Waits until a file has just this text, and throws where it does not come to that. */
const orThrow = (file: string, text: string, milliseconds: number) =>
  `    if (!(await until(() => readFileSync(${file}, 'utf8')${text}, ${milliseconds}))) throw new Error('it did not stop')\n`
const SLEEP = '    await new Promise(done => setTimeout(done, 100))\n'

/** Of these there is nothing to see on v2. */
const onV1: WrongAnswer[] = [
  {
    task: 'freeze',
    name: 'what was asked for in place of what came of it',
    belief: 'self_freezing says that it is frozen',
    edits: [
      [
        DONE_V1,
        "    const self = join(path, 'freezer.self_freezing')\n    await until(() => readFileSync(self, 'utf8').trim() === (frozen ? '1' : '0'), 5000)\n",
      ],
    ],
    says: 'this was not waited for',
  },
  {
    task: 'freeze',
    name: 'an event that does not come',
    belief: 'the kernel says it whenever one of its files has changed',
    edits: [[DONE_V1, DONE_V1.replace('5000', '5000, file')]],
    says: 'freeze went on waiting',
  },
  {
    task: 'freeze',
    name: 'with its newline',
    belief: 'a file of the kernel holds just the word',
    edits: [[DONE_V1, DONE_V1.replace('.trim()', '')]],
    says: 'freeze went on waiting',
  },
  {
    task: 'freeze',
    name: 'FREEZING is good enough',
    belief: 'what begins with FR is frozen',
    edits: [[DONE_V1, DONE_V1.replace('=== state', '.slice(0, 2) === state.slice(0, 2)')]],
    says: 'The kernel reported FREEZING', // only on v1
  },
  {
    task: 'freeze',
    name: 'the words of a command',
    belief: 'the words are FREEZE and THAW',
    edits: [["frozen ? 'FROZEN' : 'THAWED'", "frozen ? 'FREEZE' : 'THAW'"]],
    says: 'the kernel does not accept this value', // only on v1
  },
]

export const wrongFreezes: WrongAnswer[] = [
  {
    task: 'freeze',
    name: 'throws, as it compares with the newline',
    belief: 'a file of the kernel holds just the word',
    edits: [
      [DONE_V1, orThrow('file', ' === state', 500)],
      [DONE_V2, orThrow('events', ' === `frozen ${state}`', 500)],
    ],
    says: 'already',
  },
  {
    task: 'freeze',
    name: 'throws, as it does not wait for long',
    belief: 'a tenth of a second is long',
    edits: [
      [DONE_V1, orThrow('file', '.trim() === state', 100)],
      [DONE_V2, orThrow('events', '.includes(`frozen ${state}`)', 100)],
    ],
    says: 'a moment later',
  },
  {
    task: 'freeze',
    name: 'until not awaited',
    belief: 'until waits by itself',
    edits: [
      [DONE_V1, DONE_V1.replace('await ', 'void ')],
      [DONE_V2, DONE_V2.replace('await ', 'void ')],
    ],
    says: 'this was not waited for',
  },
  {
    task: 'freeze',
    name: 'what until resolves to is not looked at',
    belief: 'until throws where it was in vain',
    edits: [
      [DONE_V1, DONE_V1.replace('5000', '300')],
      [DONE_V2, DONE_V2.replace('5000', '300')],
    ],
    says: 'this was not waited for',
  },
  {
    task: 'freeze',
    name: 'SIGSTOP',
    belief: 'a container is stopped by a SIGSTOP to each of its processes',
    edits: [
      [TOLD_V1, ''],
      [TOLD_V2, ''],
      [DONE_V1, ''],
      [DONE_V2, ''],
      [
        '  if (version === 1) {\n    const [file,',
        `  for (const pid of readFileSync(join(path, 'cgroup.procs'), 'utf8').trim().split('\\n'))
    process.kill(Number(pid), frozen ? 'SIGSTOP' : 'SIGCONT')
  if (version === 1) {
    const [file,`,
      ],
    ],
    says: 'The cgroup was not frozen',
  },
  {
    task: 'freeze',
    name: 'not awaited',
    belief: 'what the kernel is told is done when the write returns',
    edits: [
      [DONE_V1, ''],
      [DONE_V2, ''],
    ],
    says: 'this was not waited for',
  },
  {
    task: 'freeze',
    name: 'never thawed',
    belief: 'freezing is a switch: the same again lets it go on',
    edits: STATES,
    says: 'the cgroup was never thawed',
  },
  {
    task: 'freeze',
    name: 'watched only',
    belief: 'the state of a cgroup is something that one waits for',
    edits: [
      [TOLD_V1, ''],
      [TOLD_V2, ''],
      ['=== state, 5000)', '=== state, 100)'],
      ['`), 5000, events)', '`), 100, events)'],
    ],
    says: 'The cgroup was never told to freeze',
  },
  {
    task: 'freeze',
    name: 'a tenth of a second',
    belief: 'after a while it will have stopped',
    edits: [
      [DONE_V1, SLEEP],
      [DONE_V2, SLEEP],
    ],
    says: 'this was not waited for',
  },
  {
    task: 'freeze',
    name: 'the two words exchanged',
    belief: 'thawed means stopped',
    edits: [
      ["frozen ? 'FROZEN' : 'THAWED'", "frozen ? 'THAWED' : 'FROZEN'"],
      ["frozen ? '1' : '0'", "frozen ? '0' : '1'"],
    ],
    says: 'swapped',
  },
  {
    task: 'freeze',
    name: 'half a second',
    belief: 'after a longer while it will certainly have stopped',
    edits: [
      [DONE_V1, SLEEP.replace('100', '500')],
      [DONE_V2, SLEEP.replace('100', '500')],
    ],
    says: 'this was not waited for',
  },
  ...(hierarchyOf('freezer')?.version === 1 ? onV1 : []),
]
