import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Cgroup, type Part, planCgroup, until, writeControl } from 'minilab'

export const limits: Part = {
  name: 'limits',

  prepare(container) {
    const cgroup = planCgroup(container)
    for (const { path } of cgroup.folders) mkdirSync(path)
    const { memory = {}, cpu = {}, pids = {} } = container.spec.linux.resources ?? {}
    const { limit, swap } = memory
    if (limit) set(cgroup, 'memory', ['memory.limit_in_bytes', limit], ['memory.max', limit])
    // v1 counts memory and swap together, and refuses less than the limit of memory alone: so this comes second
    if (limit && swap)
      set(cgroup, 'memory', ['memory.memsw.limit_in_bytes', swap], ['memory.swap.max', swap - limit])
    const { quota, period = 100_000 } = cpu
    if (quota) set(cgroup, 'cpu', ['cpu.cfs_period_us', period], ['cpu.max', `${quota} ${period}`])
    if (quota) set(cgroup, 'cpu', ['cpu.cfs_quota_us', quota])
    if (pids.limit) set(cgroup, 'pids', ['pids.max', pids.limit], ['pids.max', pids.limit])
  },

  attach({ cgroup }, pid) {
    // it still waits, so it joins before its program's first instruction; what it starts later is born there
    for (const { path } of cgroup?.folders ?? []) writeControl(join(path, 'cgroup.procs'), String(pid))
  },
}

type Setting = [file: string, value: number | string]

/** Writes a limit to the file that takes it on this machine's version of cgroups; -1 is no limit. */
function set(cgroup: Cgroup, controller: string, v1: Setting, v2?: Setting): void {
  const { version, path } = cgroup.controller(controller)!
  const [file, value] = (version === 1 ? v1 : v2) ?? []
  if (file === undefined) return
  // a kernel may not account for swap
  if (/swap|memsw/.test(file) && !existsSync(join(path, file))) return
  writeControl(join(path, file), String(value))
}

export async function freeze(
  { version, path }: { version: 1 | 2; path: string },
  frozen: boolean,
): Promise<void> {
  if (version === 1) {
    const [file, state] = [join(path, 'freezer.state'), frozen ? 'FROZEN' : 'THAWED']
    writeControl(file, state)
    // it says FREEZING until every process has reached a place where it can be stopped
    await until(() => readFileSync(file, 'utf8').trim() === state, 5000)
  } else {
    const [events, state] = [join(path, 'cgroup.events'), frozen ? '1' : '0']
    writeControl(join(path, 'cgroup.freeze'), state)
    await until(() => readFileSync(events, 'utf8').includes(`frozen ${state}`), 5000, events)
  }
}
