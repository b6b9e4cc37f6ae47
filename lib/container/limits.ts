import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Cgroup, makeCgroup, planCgroup } from '../kernel/cgroup.ts'
import { writeControl } from '../kernel/control-file.ts'
import { LimitedError } from './limited.ts'
import type { Part } from './part.ts'
import type { ResourcesSpec } from './spec.ts'

/** One limit: the controller it needs, the value asked for, and the file that takes it on each cgroup version. */
interface Limit {
  controller: string
  value(resources: ResourcesSpec): number | string | undefined
  v1?: [file: string, format?: (value: number) => string]
  v2?: [file: string, format?: (value: number) => string]
}

const PERIOD = 100_000 // µs: the kernel's default, kernel/sched/core.c
const max = (value: number) => (value < 0 ? 'max' : String(value))

/** Every limit of config.json's linux.resources that we set: runtime-spec config-linux.md and its conversion to v2. */
const LIMITS: Limit[] = [
  {
    controller: 'memory',
    value: r => r.memory?.limit,
    v1: ['memory.limit_in_bytes'],
    v2: ['memory.max', max],
  },
  // memory + swap on v1; v2 counts swap alone
  { controller: 'memory', value: r => r.memory?.swap, v1: ['memory.memsw.limit_in_bytes'] },
  {
    controller: 'memory',
    value: ({ memory }) =>
      memory?.swap === undefined ? undefined : memory.swap < 0 ? -1 : memory.swap - (memory.limit ?? 0),
    v2: ['memory.swap.max', max],
  },
  {
    controller: 'memory',
    value: r => r.memory?.reservation,
    v1: ['memory.soft_limit_in_bytes'],
    v2: ['memory.low', max],
  },
  { controller: 'cpu', value: r => r.cpu?.period, v1: ['cpu.cfs_period_us'] },
  { controller: 'cpu', value: r => r.cpu?.quota, v1: ['cpu.cfs_quota_us'] },
  {
    controller: 'cpu',
    value: ({ cpu }) => (cpu?.quota ? `${max(cpu.quota)} ${cpu.period ?? PERIOD}` : undefined),
    v2: ['cpu.max'],
  },
  {
    controller: 'cpu',
    value: r => r.cpu?.shares || undefined,
    v1: ['cpu.shares'],
    v2: ['cpu.weight', shares => String(1 + Math.floor(((shares - 2) * 9999) / 262142))], // 2…262144 → 1…10000
  },
  { controller: 'cpuset', value: r => r.cpu?.cpus || undefined, v1: ['cpuset.cpus'], v2: ['cpuset.cpus'] },
  { controller: 'cpuset', value: r => r.cpu?.mems || undefined, v1: ['cpuset.mems'], v2: ['cpuset.mems'] },
  {
    controller: 'pids',
    value: r => r.pids?.limit || undefined,
    v1: ['pids.max', max],
    v2: ['pids.max', max],
  },
]

/** What every container of ours is counted and frozen by, limited or not. */
const ALWAYS = ['memory', 'cpu', 'pids']

/**
 * Chapter 4. Limits: a cgroup is a directory, a limit is a number written to a file in it, and a process obeys once its
 * pid is written to cgroup.procs. That happens while the child waits at the gate: before its program's first instruction.
 */
export const limits: Part = {
  name: 'limits',

  prepare(container) {
    const { spec, ledger } = container
    const resources = spec.linux.resources ?? {}
    const wanted = LIMITS.filter(l => l.value(resources) !== undefined).map(l => l.controller)
    const controllers = [...new Set([...ALWAYS, ...wanted])]
    const planned = planCgroup(spec.linux.cgroupsPath ?? `/minilab/${container.id}`, withHelpers(controllers))
    if (!(planned instanceof Cgroup)) throw new LimitedError(planned.reason, planned.remedy)
    makeCgroup(planned, controllers, change => ledger.add(change))
    container.cgroup = planned
    for (const limit of LIMITS) set(planned, limit, resources)
  },

  attach({ cgroup }, pid) {
    cgroup?.join(pid)
  },
}

/** On v1 two more hierarchies are of use: cpuacct counts processor time, freezer stops. On v2 both come with every cgroup. */
function withHelpers(controllers: string[]): string[] {
  const helpers = ['cpuacct', 'freezer'].filter(name => planCgroup('', [name]) instanceof Cgroup)
  return [...controllers, ...helpers]
}

function set(cgroup: Cgroup, { controller, value, v1, v2 }: Limit, resources: ResourcesSpec): void {
  const wanted = value(resources)
  const place = cgroup.controller(controller)
  if (wanted === undefined || !place) return
  const [file, format = String] = (place.version === 1 ? v1 : v2) ?? []
  if (!file) return
  const path = join(place.path, file)
  // swap accounting can be switched off (v1: swapaccount=0, v2: no swap): its file is not there then
  if (/swap|memsw/.test(file) && !existsSync(path)) return
  writeControl(path, typeof wanted === 'number' ? format(wanted) : wanted)
}
