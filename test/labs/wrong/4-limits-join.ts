import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { CPU, MEMORY, NODE_PATH, PIDS, QUOTA, SWAP } from '../lines/4-limits.ts'
import { hierarchyOf } from '../../../lib/kernel/cgroup/cgroupfs.ts'

// Which directories, which pid, and when.

const NO_LIMITS: [string, string][] = [MEMORY, SWAP, CPU, QUOTA, PIDS].map(line => [line, ''])
const JOIN =
  "    for (const { path } of cgroup?.folders ?? []) writeControl(join(path, 'cgroup.procs'), String(pid))\n"

/** Of these there is nothing to see on v2. */
const onV1: WrongAnswer[] = [
  {
    task: 'join',
    name: 'the first directory',
    belief: 'a cgroup is one directory',
    edits: [[JOIN, JOIN.replace('cgroup?.folders', 'cgroup?.folders.slice(0, 1)')]],
    says: 'On cgroup v1 each hierarchy has its own directories',
  },
]

export const wrongJoins: WrongAnswer[] = [
  {
    task: 'join',
    name: 'its parent, before it is born',
    belief: 'a child is born in the cgroup of its parent, so the parent joins first',
    edits: [
      [JOIN, '    void [cgroup, pid]\n'],
      [
        MEMORY,
        `    for (const { path } of cgroup.folders) writeControl(join(path, 'cgroup.procs'), String(process.pid))\n${MEMORY}`,
      ],
    ],
    says: 'cgroup.procs was given our own pid',
  },
  {
    task: 'join',
    name: 'the one who writes',
    belief: '0 is the process that is meant',
    edits: [[JOIN, JOIN.replace('String(pid)', "'0'")], ...NO_LIMITS],
    says: 'cgroup.procs was given',
  },
  {
    task: 'join',
    name: 'async in forEach',
    belief: 'forEach waits for what it calls',
    edits: [
      [NODE_PATH, `${NODE_PATH}import { appendFile } from 'node:fs/promises'\n`],
      ['  attach({ cgroup }, pid) {', '  async attach({ cgroup }, pid) {'],
      [
        JOIN,
        "    cgroup?.folders.forEach(async ({ path }) => {\n      await appendFile(join(path, 'cgroup.procs'), String(pid))\n    })\n",
      ],
    ],
    says: 'nothing waits for the promise',
  },
  {
    task: 'join',
    name: 'a moment later',
    belief: 'whether it joins now or soon is all the same',
    edits: [[JOIN, `    setTimeout(() => {\n${JOIN}    }, 100)\n`]],
    says: 'joined', // which of its checks fails depends on when it joins
  },
  {
    task: 'join',
    name: 'in a cgroup below',
    belief: 'processes belong into a leaf of their own',
    edits: [
      [
        JOIN,
        `    for (const { path } of cgroup?.folders ?? []) {
      mkdirSync(join(path, 'leaf'))
      writeControl(join(path, 'leaf', 'cgroup.procs'), String(pid))
    }
`,
      ],
      ...NO_LIMITS,
    ],
    says: 'planCgroup',
  },
  ...(hierarchyOf('memory')?.version === 1 ? onV1 : []),
]
