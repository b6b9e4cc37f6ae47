import type { WrongAnswer } from '../../../lib/labs/answer.ts'

// What is written to the freezer, and how it is waited for.

const DONE_V1 = "    await until(() => readFileSync(file, 'utf8').trim() === state, 5000)\n"
const DONE_V2 =
  "    await until(() => readFileSync(events, 'utf8').includes(`frozen ${state}`), 5000, events)\n"
const SLEEP = '    await new Promise(done => setTimeout(done, 100))\n'

export const wrongFreezes: WrongAnswer[] = [
  {
    task: 'freeze',
    name: 'a tenth of a second',
    belief: 'after a while it will have stopped',
    edits: [
      [DONE_V1, SLEEP],
      [DONE_V2, SLEEP],
    ],
    says: 'that was not waited for',
  },
  {
    task: 'freeze',
    name: 'with its newline',
    belief: 'a file of the kernel holds just the word',
    edits: [[DONE_V1, DONE_V1.replace('.trim()', '')]],
    says: 'took',
  },
  {
    task: 'freeze',
    name: 'FREEZING is good enough',
    belief: 'what begins with FR is frozen',
    edits: [[DONE_V1, DONE_V1.replace('=== state', '.slice(0, 2) === state.slice(0, 2)')]],
    says: 'The kernel called it FREEZING', // only on v1
  },
  {
    task: 'freeze',
    name: 'the two words exchanged',
    belief: 'thawed means stopped',
    edits: [
      ["frozen ? 'FROZEN' : 'THAWED'", "frozen ? 'THAWED' : 'FROZEN'"],
      ["frozen ? '1' : '0'", "frozen ? '0' : '1'"],
    ],
    says: 'exchanged',
  },
  {
    task: 'freeze',
    name: 'the words of a command',
    belief: 'the words are FREEZE and THAW',
    edits: [["frozen ? 'FROZEN' : 'THAWED'", "frozen ? 'FREEZE' : 'THAW'"]],
    says: 'the kernel does not accept this value', // only on v1
  },
]
