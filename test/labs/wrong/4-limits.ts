import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { CPU, MEMORY, PIDS, QUOTA, SWAP } from '../lines/4-limits.ts'
import { wrongAwaits } from './4-limits-awaited.ts'
import { wrongFiles } from './4-limits-files.ts'
import { wrongFreezes } from './4-limits-freeze.ts'
import { wrongJoins } from './4-limits-join.ts'
import { wrongNumbers } from './4-limits-numbers.ts'

const MKDIR = '    for (const { path } of cgroup.folders) mkdirSync(path)\n'
const NO_LIMITS: [string, string][] = [MEMORY, SWAP, CPU, QUOTA, PIDS].map(line => [line, ''])
const JOIN = "writeControl(join(path, 'cgroup.procs'), String(pid))"
/** Another resource limit, as setrlimit(2) sets it, for the first process and those that it starts. */
const withResourceLimit = (name: string, value: string): [string, string][] => [
  ['import { type Cgroup,', `import { ${name}, type Cgroup,`],
  [
    '  attach({ cgroup }, pid) {',
    `  inside(tape, { spec }) {
    const limit = spec.linux.resources!.${value}!
    tape.prlimit64(0, ${name}, { cur: limit, max: limit }, null)
  },

  attach({ cgroup }, pid) {`,
  ],
]

export const wrong: WrongAnswer[] = [
  ...wrongJoins,
  ...wrongNumbers,
  ...wrongFreezes,
  ...wrongAwaits,
  ...wrongFiles,
  {
    task: 'join',
    name: 'a directory only',
    belief: 'whoever makes a cgroup for a container has put it in',
    edits: [[JOIN, 'void path']],
    says: 'It never joined its own',
  },
  {
    task: 'join',
    name: 'no directory',
    belief: 'a cgroup comes into being when the first process joins it',
    edits: [[MKDIR, ''], ...NO_LIMITS],
    says: '= -1 ENOENT',
  },
  {
    task: 'join',
    name: 'its own number',
    belief: 'the first process of a container is process 1, also for whoever writes it down outside',
    edits: [[JOIN, JOIN.replace('String(pid)', "'1'")], ...NO_LIMITS],
    says: "cgroup.procs was given 1 instead of the child's",
  },
  {
    task: 'join',
    name: 'ourselves',
    belief: 'whoever is in the cgroup at the clone hands it on, so it is enough to be there in attach',
    edits: [[JOIN, JOIN.replace('String(pid)', 'String(process.pid)')], ...NO_LIMITS],
    says: 'cgroup.procs was given our own pid',
  },
  {
    task: 'memory',
    name: 'not swap',
    belief: 'a limit of memory holds for swap too',
    edits: [[SWAP, '']],
    says: 'Memory is limited, swap is not',
  },
  {
    task: 'memory',
    name: 'a reservation',
    belief: 'a soft limit is a limit, only a polite one',
    edits: [
      [
        "['memory.limit_in_bytes', limit], ['memory.max', limit]",
        "['memory.soft_limit_in_bytes', limit], ['memory.low', limit]",
      ],
      [SWAP, ''],
    ],
    says: 'ends no program',
  },
  {
    task: 'memory',
    name: 'a resource limit',
    belief: 'setrlimit limits memory, so no cgroup is needed for that',
    edits: [[MEMORY, ''], [SWAP, ''], ...withResourceLimit('RLIMIT_AS', 'memory!.limit')],
    says: 'RLIMIT_AS was set instead',
  },
  {
    task: 'memory',
    name: 'in mebibytes',
    belief: "the kernel takes mebibytes, as Docker's -m 64m",
    edits: [
      [
        "['memory.limit_in_bytes', limit], ['memory.max', limit]",
        "['memory.limit_in_bytes', limit / 2 ** 20], ['memory.max', limit / 2 ** 20]",
      ],
    ],
    says: 'the file takes bytes',
  },
  {
    task: 'memory',
    name: 'the number that the text shows',
    belief: 'the limit is always the same',
    edits: [
      [
        MEMORY,
        "    if (limit) set(cgroup, 'memory', ['memory.limit_in_bytes', 67108864], ['memory.max', 67108864])\n",
      ],
    ],
    says: 'Another container asks for',
  },
  {
    task: 'cpu',
    name: "the period of the kernel's own",
    belief: 'the period is always a tenth of a second',
    edits: [
      [CPU, "    if (quota) set(cgroup, 'cpu', ['cpu.cfs_quota_us', quota], ['cpu.max', `${quota}`])\n"],
      [QUOTA, ''],
    ],
    says: 'Another container asks for',
  },
  {
    task: 'cpu',
    name: 'taken for granted',
    belief: 'every specification limits the processor',
    edits: [
      ['const { memory = {}, cpu = {}, pids = {} } =', 'const { memory = {}, cpu, pids = {} } ='],
      ['period = 100_000 } = cpu', 'period = 100_000 } = cpu!'],
    ],
    says: 'A container whose specification has no cpu was not made',
  },
  {
    task: 'cpu',
    name: 'a share in percent',
    belief: 'the quota is a percentage',
    edits: [
      [CPU, CPU.replace('${quota} ${period}', '20 ${period}')],
      [QUOTA, QUOTA.replace('quota])', '20])')],
    ],
    says: 'each is at least 1000',
  },
  {
    task: 'cpu',
    name: 'nice',
    belief: 'nice limits how much CPU time a process gets',
    edits: [
      [CPU, ''],
      [QUOTA, ''],
      [
        "import { join } from 'node:path'\n",
        "import { setPriority } from 'node:os'\nimport { join } from 'node:path'\n",
      ],
      ['    // it still waits', '    setPriority(pid, 19)\n    // it still waits'],
    ],
    says: 'it was made nice instead',
  },
  {
    task: 'cpu',
    name: 'shares',
    belief: 'who has a fifth of the usual shares gets a fifth of a processor',
    edits: [
      [CPU, "    if (quota) set(cgroup, 'cpu', ['cpu.shares', 1024 / 5], ['cpu.weight', 100 / 5])\n"],
      [QUOTA, ''],
      ['String(value))\n}', 'String(Math.round(Number(value))))\n}'],
    ],
    says: 'That is a weight',
  },
  {
    task: 'cpu',
    name: 'quota and period exchanged',
    belief: 'of the two numbers, the larger one must be what it may use',
    edits: [['const { quota, period = 100_000 } = cpu', 'const { quota: period, period: quota } = cpu']],
    says: '100000 of every 20000 µs are 500.0 % of a CPU',
  },
  {
    task: 'cpu',
    name: 'in per cent',
    belief: 'a quota is a percentage',
    edits: [
      ["['cpu.max', `${quota} ${period}`]", "['cpu.max', `${(100 * quota) / period} ${period}`]"],
      ["['cpu.cfs_quota_us', quota]", "['cpu.cfs_quota_us', (100 * quota) / period]"],
    ],
    says: '"20',
  },
  {
    task: 'pids',
    name: 'one more',
    belief: 'the first process does not count: it is the container',
    edits: [
      [
        "['pids.max', pids.limit], ['pids.max', pids.limit]",
        "['pids.max', pids.limit + 1], ['pids.max', pids.limit + 1]",
      ],
    ],
    says: 'first process counts like any other',
  },
  {
    task: 'pids',
    name: 'a resource limit',
    belief: 'setrlimit limits processes, so no cgroup is needed for that',
    edits: [[PIDS, ''], ...withResourceLimit('RLIMIT_NPROC', 'pids!.limit')],
    says: 'RLIMIT_NPROC was set instead',
  },
  {
    task: 'pids',
    name: 'to the folder above',
    belief: "the number of containers' processes is limited where they all are",
    edits: [
      [
        'writeControl(join(path, file), String(value))',
        "writeControl(join(path, file === 'pids.max' ? `../${file}` : file), String(value))",
      ],
    ],
    says: 'no limit was written',
  },
]
