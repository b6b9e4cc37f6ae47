import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { CPU, MEMORY, NODE_PATH, PIDS, QUOTA, SWAP } from '../lines/4-limits.ts'
import { hierarchyOf } from '../../../lib/kernel/cgroup/cgroupfs.ts'

// Other files, other numbers, and limits that are taken for granted.

/** Of these there is nothing to see on v2. */
const onV1: WrongAnswer[] = [
  {
    task: 'memory',
    name: 'swap first',
    belief: 'in which order two files are written is all the same',
    edits: [
      [MEMORY, ''],
      [SWAP, `${SWAP}${MEMORY}`],
    ],
    says: 'write memory.limit_in_bytes first',
  },
  {
    task: 'memory',
    name: 'swap alone, also on v1',
    belief: 'a file for swap takes what swap may be',
    edits: [["['memory.memsw.limit_in_bytes', swap]", "['memory.memsw.limit_in_bytes', swap - limit]"]],
    says: 'v1 counts memory and swap together',
  },
  {
    task: 'memory',
    name: 'swap and memory added',
    belief: 'swap in the specification is swap alone',
    edits: [["['memory.memsw.limit_in_bytes', swap]", "['memory.memsw.limit_in_bytes', swap + limit]"]],
    says: 'already counts memory and swap together',
  },
  {
    task: 'memory',
    name: 'a refusal passed over',
    belief: 'what the kernel refuses cannot be had',
    edits: [
      [MEMORY, ''],
      [
        SWAP,
        `    try {
${SWAP}    } catch {}
${MEMORY}`,
      ],
    ],
    says: 'Memory is limited, swap is not',
  },
  {
    task: 'memory',
    name: 'the name on v2',
    belief: 'the files have the same names on both versions',
    edits: [["['memory.limit_in_bytes', limit]", "['memory.max', limit]"]],
    says: 'use memory.limit_in_bytes',
  },
  {
    task: 'cpu',
    name: 'the directory of memory',
    belief: 'one directory has all files, on v1 too',
    edits: [
      [
        'const { version, path } = cgroup.controller(controller)!',
        "const { version, path } = cgroup.controller(controller === 'cpu' ? 'memory' : controller)!",
      ],
    ],
    says: 'this directory is in the wrong hierarchy: the one for cpu',
  },
]

export const wrongNumbers: WrongAnswer[] = [
  {
    task: 'pids',
    name: 'never less than the first container asked for',
    belief: 'less than twenty processes are too few for a shell',
    edits: [[PIDS, PIDS.replaceAll('pids.limit]', 'Math.max(pids.limit, 20)]')]],
    says: 'write the number of spec.linux.resources as it is',
  },
  {
    task: 'memory',
    name: 'in kibibytes',
    belief: 'the kernel takes kibibytes, as ulimit -v',
    edits: [
      [
        "['memory.limit_in_bytes', limit], ['memory.max', limit]",
        "['memory.limit_in_bytes', limit / 1024], ['memory.max', limit / 1024]",
      ],
    ],
    says: 'the file takes bytes',
  },
  {
    task: 'memory',
    name: 'swap taken for granted',
    belief: 'who limits memory limits swap',
    edits: [
      [
        SWAP,
        "    if (limit) set(cgroup, 'memory', ['memory.memsw.limit_in_bytes', String(swap)], ['memory.swap.max', swap! - limit])\n",
      ],
    ],
    says: 'What is not in the specification is not limited',
  },
  {
    task: 'cpu',
    name: 'the share is the same',
    belief: 'only the ratio of quota and period matters',
    edits: [
      [
        'const { quota, period = 100_000 } = cpu',
        'const period = 100_000\n    const quota = cpu.quota && Math.round((cpu.quota / (cpu.period ?? period)) * period)',
      ],
    ],
    says: 'Another container asks for',
  },
  {
    task: 'cpu',
    name: 'for each processor',
    belief: 'the quota is meant for each processor',
    edits: [
      [NODE_PATH, `import { availableParallelism } from 'node:os'\n${NODE_PATH}`],
      [CPU, CPU.replace('${quota} ', '${quota * (1 + availableParallelism())} ')],
      [QUOTA, QUOTA.replace('quota])', 'quota * (1 + availableParallelism())])')],
    ],
    says: 'Another quota was written',
  },
  {
    task: 'cpu',
    name: 'in milliseconds',
    belief: 'times are in milliseconds',
    edits: [
      [
        CPU,
        CPU.replace("'cpu.cfs_period_us', period", "'cpu.cfs_period_us', period / 1000").replace(
          '${quota} ${period}',
          '${quota / 1000} ${period / 1000}',
        ),
      ],
      [QUOTA, QUOTA.replace('quota])', 'quota / 1000])')],
    ],
    says: 'quota and period are in microseconds',
  },
  {
    task: 'cpu',
    name: 'a quota taken for granted',
    belief: 'who has cpu in the specification has a quota',
    edits: [
      ['const { memory = {}, cpu = {}, pids = {} } =', 'const { memory = {}, cpu, pids = {} } ='],
      ['const { quota, period = 100_000 } = cpu\n', 'const { quota, period = 100_000 } = cpu ?? {}\n'],
      [CPU, CPU.replace('if (quota)', 'if (cpu)')],
      [QUOTA, QUOTA.replace('if (quota)', 'if (cpu)').replace(', quota]', ', String(quota)]')],
    ],
    says: 'What is not in the specification is not limited',
  },
  {
    task: 'cpu',
    name: 'a period taken for granted',
    belief: 'who has a quota has a period',
    edits: [
      ['const { quota, period = 100_000 } = cpu', 'const { quota, period } = cpu'],
      [CPU, CPU.replace(', period]', ', String(period)]')],
    ],
    says: 'What is not in the specification is not limited',
  },
  {
    task: 'pids',
    name: 'the number that the text shows',
    belief: 'the limit is always the same',
    edits: [
      [
        PIDS,
        PIDS.replace(
          "['pids.max', pids.limit], ['pids.max', pids.limit]",
          "['pids.max', 20], ['pids.max', 20]",
        ),
      ],
    ],
    says: 'Another container asks for',
  },
  {
    task: 'pids',
    name: 'taken for granted',
    belief: 'every container has a limit of processes',
    edits: [[PIDS, PIDS.replace('if (pids.limit) ', '').replaceAll('pids.limit]', 'String(pids.limit)]')]],
    says: 'What is not in the specification is not limited',
  },
  {
    task: 'pids',
    name: 'a limit for all who ask for none',
    belief: 'a container without a limit is a danger',
    edits: [['pids = {} } =', 'pids = { limit: 1024 } } =']],
    says: 'what is not in spec.linux.resources is not limited',
  },
  {
    task: 'memory',
    name: 'a limit for all who ask for none',
    belief: 'a container without a limit is a danger',
    edits: [['const { memory = {},', 'const { memory = { limit: 2 ** 28, swap: 2 ** 28 },']],
    says: 'what is not in spec.linux.resources is not limited',
  },
  ...(hierarchyOf('memory')?.version === 1 ? onV1 : []),
]
