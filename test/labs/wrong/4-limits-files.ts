import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { hierarchyOf } from '../../../lib/kernel/cgroup/cgroupfs.ts'
import { CPU, MEMORY_FILES, MKDIR, PIDS, QUOTA, SWAP } from '../lines/4-limits.ts'

// Numbers that were calculated, and files that are not those of the limit.

const rounded = (limit: string): [string, string][] => [
  [MEMORY_FILES, MEMORY_FILES.replaceAll(', limit]', `, ${limit}]`)],
]
const onlyWith = (condition: string): [string, string][] => [
  ['period = 100_000 } = cpu', 'period } = cpu'],
  [CPU, CPU.replace('if (quota)', `if (${condition})`)],
  [QUOTA, QUOTA.replace('if (quota)', `if (${condition})`)],
]

/** Of these there is nothing to see on v2. */
const onV1: WrongAnswer[] = [
  {
    task: 'join',
    name: 'only the directories of the limits',
    belief: 'a cgroup has a directory for each limit',
    edits: [
      [
        MKDIR,
        "    for (const name of ['memory', 'cpu', 'pids'])\n      mkdirSync(cgroup.controller(name)!.path, { recursive: true })\n",
      ],
    ],
    says: 'there is no such cgroup: its directory was not made',
  },
  {
    task: 'memory',
    name: 'the killer switched off',
    belief: 'a program that is killed is a program lost',
    edits: [[SWAP, `${SWAP}    if (limit) set(cgroup, 'memory', ['memory.oom_control', 1])\n`]],
    says: 'the out-of-memory killer is switched off',
  },
  {
    task: 'cpu',
    name: 'the files of real time',
    belief: 'runtime is how long one may run',
    edits: [
      [CPU, CPU.replace('cpu.cfs_period_us', 'cpu.rt_period_us')],
      [QUOTA, QUOTA.replace('cpu.cfs_quota_us', 'cpu.rt_runtime_us')],
    ],
    says: 'cpu.rt_',
  },
  {
    task: 'freeze',
    name: 'the name on v2',
    belief: 'a freezer is a freezer',
    edits: [['if (version === 1) {', 'if (version === (3 as never)) {']],
    says: 'use freezer.state',
  },
]

export const wrongFiles: WrongAnswer[] = [
  {
    task: 'memory',
    name: 'rounded up to the next page',
    belief: 'the kernel counts pages, so one has to round',
    edits: rounded('(Math.floor(limit / 4096) + 1) * 4096'),
    says: 'It was rounded to a whole number of pages',
  },
  {
    task: 'memory',
    name: 'rounded up to the next MiB',
    belief: 'memory is given in MiB',
    edits: rounded('((limit >> 20) + 1) * 2 ** 20'),
    says: 'It was rounded to a whole number of MiB',
  },
  {
    task: 'memory',
    name: 'rounded to MiB',
    belief: 'a limit is a whole number of MiB anyhow',
    edits: rounded('Math.ceil(limit / 2 ** 20) * 2 ** 20'),
    says: 'It was rounded to a whole number of MiB',
  },
  {
    task: 'memory',
    name: 'a million bytes for a MiB',
    belief: 'a MiB has a million bytes',
    edits: rounded('Math.round(limit / 2 ** 20) * 1e6'),
    says: '1000000 bytes for a MiB',
  },
  {
    task: 'memory',
    name: 'a number of M with a fraction',
    belief: 'the kernel takes 58.0625M',
    edits: rounded('`${limit / 2 ** 20}M`'),
    says: 'is not a whole number',
  },
  {
    task: 'memory',
    name: 'no swap where none is given',
    belief: 'without a number there is no swap',
    edits: [['const { limit, swap } = memory', 'const { limit, swap = limit } = memory']],
    says: 'what is not in spec.linux.resources is not limited',
  },
  {
    task: 'cpu',
    name: 'the period alone',
    belief: 'a period is a limit',
    edits: [
      [QUOTA, ''],
      [CPU, CPU.replace('${quota} ${period}', 'max ${period}')],
    ],
    says: 'only the period was written, which limits nothing by itself',
  },
  {
    task: 'cpu',
    name: 'a quota only with a period',
    belief: 'who names no period wants no quota',
    edits: onlyWith('quota && period'),
    says: "and for no period (the kernel's own is 100000), but its cgroup has no quota",
  },
  {
    task: 'cpu',
    name: 'the quota alone',
    belief: 'the period is always the usual one',
    edits: [
      [
        CPU,
        CPU.replace("'cpu.cfs_period_us', period", "'cpu.cfs_quota_us', quota").replace(
          '${quota} ${period}',
          '${quota}',
        ),
      ],
      [QUOTA, ''],
    ],
    says: 'the quota is the one that it asks for, the period is not',
  },
  {
    task: 'cpu',
    name: 'a cpuset',
    belief: 'a share of a processor is one of several processors',
    edits: [
      [CPU, "    if (quota) writeControl(join(cgroup.controller('cpuset')!.path, 'cpuset.cpus'), '0')\n"],
      [QUOTA, ''],
    ],
    says: 'planCgroup plans no directory for cpuset',
  },
  {
    task: 'pids',
    name: 'nothing more where memory is not limited',
    belief: 'who limits anything limits memory',
    edits: [[PIDS, `    if (!limit) return\n${PIDS}`]],
    says: 'but its cgroup has no limit',
  },
  {
    task: 'pids',
    name: 'nothing more without a quota',
    belief: 'who limits anything has a quota',
    edits: [[PIDS, `    if (!quota) return\n${PIDS}`]],
    says: 'but its cgroup has no limit',
  },
  {
    task: 'pids',
    name: 'one less',
    belief: 'the first process comes on top',
    edits: [[PIDS, PIDS.replaceAll('pids.limit]', 'pids.limit - 1]')]],
    says: 'one less than asked',
  },
  {
    task: 'pids',
    name: 'to the file that counts them',
    belief: 'pids.current is what is there now, so one sets it',
    edits: [[PIDS, PIDS.replaceAll("'pids.max'", "'pids.current'")]],
    says: 'pids.current',
  },
  ...(hierarchyOf('memory')?.version === 1 ? onV1 : []),
]
