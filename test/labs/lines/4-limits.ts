/** The lines of labs/4-limits/solution.ts that answers change. */

export const MEMORY =
  "    if (limit) set(cgroup, 'memory', ['memory.limit_in_bytes', limit], ['memory.max', limit])\n"
export const SWAP = `    if (limit && swap)
      set(cgroup, 'memory', ['memory.memsw.limit_in_bytes', swap], ['memory.swap.max', swap - limit])
`
export const CPU =
  "    if (quota) set(cgroup, 'cpu', ['cpu.cfs_period_us', period], ['cpu.max', `${quota} ${period}`])\n"
export const QUOTA = "    if (quota) set(cgroup, 'cpu', ['cpu.cfs_quota_us', quota])\n"
export const PIDS =
  "    if (pids.limit) set(cgroup, 'pids', ['pids.max', pids.limit], ['pids.max', pids.limit])\n"
export const NODE_PATH = "import { join } from 'node:path'\n"
export const MEMORY_FILES = "['memory.limit_in_bytes', limit], ['memory.max', limit]"
export const MKDIR = '    for (const { path } of cgroup.folders) mkdirSync(path)\n'
export const JOIN =
  "    for (const { path } of cgroup?.folders ?? []) writeControl(join(path, 'cgroup.procs'), String(pid))\n"
