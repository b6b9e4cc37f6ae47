import type { Unsolved } from '../../../lib/labs/answer.ts'

export const unsolved: Unsolved[] = [
  {
    task: 'memory',
    edits: [
      ["    if (limit) set(cgroup, 'memory', ['memory.limit_in_bytes', limit], ['memory.max', limit])\n", ''],
      [
        "    if (limit && swap)\n      set(cgroup, 'memory', ['memory.memsw.limit_in_bytes', swap], ['memory.swap.max', swap - limit])\n",
        '',
      ],
    ],
  },
  {
    task: 'cpu',
    edits: [
      [
        "    if (quota) set(cgroup, 'cpu', ['cpu.cfs_period_us', period], ['cpu.max', `${quota} ${period}`])\n    if (quota) set(cgroup, 'cpu', ['cpu.cfs_quota_us', quota])\n",
        '',
      ],
    ],
  },
  {
    task: 'pids',
    edits: [
      ["    if (pids.limit) set(cgroup, 'pids', ['pids.max', pids.limit], ['pids.max', pids.limit])\n", ''],
    ],
  },
  {
    task: 'freeze',
    edits: [
      ['if (version === 1) {', 'if (version !== 1 && version !== 2) {'],
      ['  } else {\n    const [events', '  } else if (path === undefined) {\n    const [events'],
    ],
  },
]
