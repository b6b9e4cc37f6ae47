import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { CPU, JOIN, MEMORY, MKDIR, NODE_PATH } from '../lines/4-limits.ts'

// What nothing waits for, and what the learner's own code throws.

const PROMISES: [string, string] = [
  NODE_PATH,
  `import { mkdir, writeFile } from 'node:fs/promises'\n${NODE_PATH}`,
]
const NOT_AWAITED = 'nothing waits for the promise'

export const wrongAwaits: WrongAnswer[] = [
  {
    task: 'join',
    name: 'writeFile in an attach that is not async',
    belief: 'a call of fs/promises has written when it returns',
    edits: [PROMISES, [JOIN, JOIN.replace('writeControl', 'writeFile')]],
    says: NOT_AWAITED,
  },
  {
    task: 'join',
    name: 'writeFile in an async attach, and no await',
    belief: 'an async function waits for all that it begins',
    edits: [
      PROMISES,
      ['  attach({ cgroup }, pid) {', '  async attach({ cgroup }, pid) {'],
      [JOIN, JOIN.replace('writeControl', 'writeFile')],
    ],
    says: NOT_AWAITED,
  },
  {
    task: 'join',
    name: 'a list of promises handed back',
    belief: 'who gets a list of promises waits for them',
    edits: [
      PROMISES,
      [
        JOIN,
        "    return cgroup?.folders.map(({ path }) => writeFile(join(path, 'cgroup.procs'), String(pid))) as never\n",
      ],
    ],
    says: NOT_AWAITED,
  },
  {
    task: 'join',
    name: 'mkdir not awaited',
    belief: 'a directory is there at once',
    edits: [PROMISES, [MKDIR, MKDIR.replace('mkdirSync', 'mkdir')]],
    says: NOT_AWAITED,
  },
  {
    task: 'join',
    name: 'a program that nothing waits for',
    belief: 'exec runs a command to its end',
    edits: [
      [NODE_PATH, `import { exec } from 'node:child_process'\n${NODE_PATH}`],
      [
        JOIN,
        '    for (const { path } of cgroup?.folders ?? []) exec(`echo ${pid} > ${path}/cgroup.procs`)\n',
      ],
    ],
    says: NOT_AWAITED,
  },
  {
    task: 'memory',
    name: 'limits by a writeFile that is not awaited',
    belief: 'a limit is written by the time it counts',
    edits: [
      PROMISES,
      ['  writeControl(join(path, file), String(value))\n', '  writeFile(join(path, file), String(value))\n'],
    ],
    says: NOT_AWAITED,
  },
  {
    task: 'cpu',
    name: 'throws where there is no period',
    belief: 'every specification has a period',
    edits: [[CPU, `    if (!cpu.period) throw new Error('no period')\n${CPU}`]],
    says: 'your own code threw an error here, “no period” (line 18)',
  },
  {
    task: 'memory',
    name: 'throws where there is no swap',
    belief: 'every specification limits memory and swap',
    edits: [[MEMORY, `    if (!limit || !swap) throw new Error('no memory limit given')\n${MEMORY}`]],
    says: 'What is not in the specification is not limited',
  },
  {
    task: 'memory',
    name: 'throws at a file that it takes for missing',
    belief: 'the file has another name',
    edits: [
      [
        '  if (file === undefined) return\n',
        '  if (file === undefined) return\n  if (!existsSync(join(path, `${file}.1`))) throw new RangeError(`unknown file ${file}`)\n',
      ],
    ],
    says: 'your own code threw an error here, “unknown file memory.',
  },
]
