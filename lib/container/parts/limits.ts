import { MinilabError } from '../../common/errors.ts'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Cgroup } from '../../kernel/cgroup/cgroup.ts'
import { readControl } from '../../kernel/cgroup/control-file.ts'
import { hierarchyOf } from '../../kernel/cgroup/cgroupfs.ts'
import { type CgroupChange, makeCgroup, planCgroup } from '../../kernel/cgroup/make-cgroup.ts'
import { held, type Ledger } from '../ledger/ledger.ts'
import type { Part } from '../part.ts'
import { limitDevices } from '../device-rules.ts'
import { setBlockIO } from '../block-io.ts'
import type { ResourcesSpec } from '../spec.ts'

/** One limit: its controller, the value asked for, and the file that takes it on each cgroup version. */
interface Limit {
  controller: string
  value(resources: ResourcesSpec): number | string | undefined
  v1?: [file: string, format?: (value: number) => string]
  v2?: [file: string, format?: (value: number) => string]
  /** the field of the spec, if only one version has such a limit: on the other it is refused */
  only?: string
}

const MEMORY_AND_SWAP = 'memory.memsw.limit_in_bytes'
const PERIOD = 100_000 // µs: the kernel's default, kernel/sched/core.c
const max = (value: number) => (value < 0 ? 'max' : String(value))

/** Limits that `minilab run` has no flag for, but engines ask for. */
const FURTHER: Limit[] = [
  {
    controller: 'cpu',
    value: r => r.cpu?.burst || undefined,
    v1: ['cpu.cfs_burst_us'],
    v2: ['cpu.max.burst'],
  },
  { controller: 'cpu', value: r => r.cpu?.idle || undefined, v1: ['cpu.idle'], v2: ['cpu.idle'] },
  {
    controller: 'cpu',
    value: r => r.cpu?.realtimePeriod || undefined,
    v1: ['cpu.rt_period_us'],
    only: 'cpu.realtimePeriod',
  },
  {
    controller: 'cpu',
    value: r => r.cpu?.realtimeRuntime || undefined,
    v1: ['cpu.rt_runtime_us'],
    only: 'cpu.realtimeRuntime',
  },
  {
    controller: 'memory',
    value: r => r.memory?.kernelTCP || undefined,
    v1: ['memory.kmem.tcp.limit_in_bytes'],
    only: 'memory.kernelTCP',
  },
  {
    controller: 'memory',
    value: r => r.memory?.swappiness,
    v1: ['memory.swappiness'],
    only: 'memory.swappiness',
  },
  {
    controller: 'memory',
    value: r => (r.memory?.disableOOMKiller ? 1 : undefined),
    v1: ['memory.oom_control'],
    only: 'memory.disableOOMKiller',
  },
]

/** Every limit of config.json's linux.resources that we set: runtime-spec config-linux.md and its conversion to v2. */
const LIMITS: Limit[] = [
  {
    controller: 'memory',
    value: r => r.memory?.limit || undefined,
    v1: ['memory.limit_in_bytes'],
    v2: ['memory.max', max],
  },
  // memory + swap on v1; v2 counts swap alone
  { controller: 'memory', value: r => r.memory?.swap || undefined, v1: [MEMORY_AND_SWAP] },
  {
    controller: 'memory',
    value: ({ memory }) =>
      memory?.swap ? (memory.swap < 0 ? -1 : memory.swap - (memory.limit ?? 0)) : undefined,
    v2: ['memory.swap.max', max],
  },
  {
    controller: 'memory',
    value: r => r.memory?.reservation || undefined,
    v1: ['memory.soft_limit_in_bytes'],
    v2: ['memory.low', max],
  },
  { controller: 'cpu', value: r => r.cpu?.period || undefined, v1: ['cpu.cfs_period_us'] },
  { controller: 'cpu', value: r => r.cpu?.quota || undefined, v1: ['cpu.cfs_quota_us'] },
  {
    controller: 'cpu',
    value: ({ cpu }) =>
      cpu?.quota || cpu?.period ? `${max(cpu.quota || -1)} ${cpu.period || PERIOD}` : undefined,
    v2: ['cpu.max'],
  },
  {
    controller: 'cpu',
    value: r => r.cpu?.shares || undefined,
    v1: ['cpu.shares'],
    v2: ['cpu.weight', shares => String(weight(shares))],
  },
  { controller: 'cpuset', value: r => r.cpu?.cpus || undefined, v1: ['cpuset.cpus'], v2: ['cpuset.cpus'] },
  { controller: 'cpuset', value: r => r.cpu?.mems || undefined, v1: ['cpuset.mems'], v2: ['cpuset.mems'] },
  {
    controller: 'pids',
    value: r => r.pids?.limit || undefined,
    v1: ['pids.max', max],
    v2: ['pids.max', max],
  },
  ...FURTHER,
]

/**
 * Converts v1's cpu.shares, 2 to 262144, to v2's cpu.weight, 1 to 10000, so that minimum, default (1024 and 100) and maximum
 * correspond: opencontainers/cgroups, ConvertCPUSharesToCgroupV2Value().
 */
export function weight(shares: number): number {
  if (shares <= 2) return 1
  if (shares >= 262144) return 10000
  const l = Math.log2(shares)
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34))
}

/** Throws a usage error if the limit of memory plus swap is below that of memory alone: it would have no effect. */
export function checkSwap({ memory: { limit = 0, swap = 0 } = {} }: ResourcesSpec): void {
  if (swap <= 0) return
  if (limit <= 0)
    throw new MinilabError(
      'usage',
      'linux.resources.memory.swap needs a memory limit',
      'set memory.limit as well',
    )
  if (swap < limit)
    throw new MinilabError(
      'usage',
      `linux.resources.memory.swap (${swap}) counts memory and swap together, but is less than memory.limit (${limit})`,
      'give at least as much',
    )
}

/** The controllers that every container of ours has, limited or not; and optional ones, used if they are mounted. */
const ALWAYS = ['memory', 'cpu', 'pids']
const WHERE_THERE = ['cpuacct', 'freezer']

/**
 * Chapter 4. Limits: a cgroup is a directory, a limit is a number written to a file in it, and a process is limited once its
 * pid is written to cgroup.procs. That happens while the child waits at the gate, before its program's first instruction.
 */
export const limits: Part = {
  name: 'limits',

  prepare(container) {
    const { spec, ledger } = container
    const resources = spec.linux.resources ?? {}
    checkSwap(resources)
    const wanted = controllersFor(resources)
    container.cgroup = notedCgroup(ledger, spec.linux.cgroupsPath ?? `/minilab/${container.id}`, wanted)
    setLimits(container.cgroup, resources)
  },

  attach({ cgroup }, pid) {
    cgroup?.join(pid)
  },
}

/** The controllers that the wanted limits need. */
export function controllersFor(resources: ResourcesSpec): string[] {
  const wanted = LIMITS.filter(l => l.value(resources) !== undefined).map(l => l.controller)
  if (resources.hugepageLimits?.length) wanted.push('hugetlb')
  if (Object.keys(resources.rdma ?? {}).length) wanted.push('rdma')
  if (Object.values(resources.blockIO ?? {}).some(Boolean)) wanted.push(hierarchyOf('blkio') ? 'blkio' : 'io')
  return wanted
}

/**
 * Makes and records a cgroup with the controllers that every container has, and some more; with `last: false` it leaves out the
 * cgroup's own directories. A name that does not begin with / counts from our own cgroup. Throws a MinilabError (limited) if none is possible.
 */
export function notedCgroup(
  ledger: Ledger,
  name: string,
  more: readonly string[] = [],
  { last = true } = {},
): Cgroup {
  const useful = WHERE_THERE.filter(controller => hierarchyOf(controller))
  const controllers = [...new Set([...ALWAYS, ...more, ...useful])]
  // if others make the cgroup, it gets only what was asked for
  const planned = plannedCgroup(name, controllers, { everywhere: last, fromOurs: !name.startsWith('/') })
  makeCgroup(planned, controllers, noteIn(ledger), { last })
  return planned
}

/** Like `planCgroup`, but throws a MinilabError (limited) if no cgroup is possible. */
export function plannedCgroup(...wanted: Parameters<typeof planCgroup>): Cgroup {
  const planned = planCgroup(...wanted)
  if (planned instanceof Cgroup) return planned
  throw new MinilabError('limited', planned.reason, planned.remedy)
}

/**
 * Records each change once. A controller that another command has handed down, and would undo, is recorded as ours
 * too: the kernel refuses to undo it while we use it, so then it is up to us, as the last to end.
 */
export function noteIn(ledger: Ledger): (change: CgroupChange) => void {
  const noted = new Set(ledger.entries.map(entry => JSON.stringify(entry)))
  return change => {
    let entry = change
    if (change.kind === 'controllers') {
      const others = held(ledger.dataFolder).flatMap(other =>
        other.kind === 'controllers' && other.path === change.path ? other.enabled : [],
      )
      entry = { ...change, enabled: [...new Set([...change.enabled, ...others])] }
      if (entry.enabled.length === 0) return
    }
    const line = JSON.stringify(entry)
    if (!noted.has(line)) ledger.add(entry)
    noted.add(line)
  }
}

/**
 * cgroup v1 accepts no limit of memory above that of memory and swap together (mm/memcontrol-v1.c): to raise both, the file of both
 * comes first.
 */
function inOrder(cgroup: Cgroup, { memory }: ResourcesSpec): readonly Limit[] {
  const place = cgroup.controller('memory')
  const path = place && join(place.path, MEMORY_AND_SWAP)
  if (!memory?.limit || !memory.swap || !path || !existsSync(path)) return LIMITS
  if (memory.limit > 0 && memory.limit <= Number(readControl(path))) return LIMITS
  const isBoth = ({ v1 }: Limit) => v1?.[0] === MEMORY_AND_SWAP
  return [...LIMITS.filter(isBoth), ...LIMITS.filter(limit => !isBoth(limit))]
}

/** Writes the limits in `resources` to the files of a cgroup. Throws a SyscallError with the remedy. */
export function setLimits(cgroup: Cgroup, resources: ResourcesSpec): void {
  for (const { controller, value, v1, v2, only } of inOrder(cgroup, resources)) {
    const wanted = value(resources)
    const place = cgroup.controller(controller)
    if (wanted === undefined || !place) continue
    const [file, format = String] = (place.version === 1 ? v1 : v2) ?? []
    if (!file && only)
      throw new MinilabError(
        'usage',
        `linux.resources.${only}: cgroup v${place.version} has no such limit`,
        'leave it out of the spec',
      )
    if (!file) continue
    const path = join(place.path, file)
    // swap accounting can be off (v1: swapaccount=0, v2: no swap): then its file does not exist
    if (/swap|memsw/.test(file) && !existsSync(path)) continue
    cgroup.write(path, typeof wanted === 'number' ? format(wanted) : wanted)
  }
  setBlockIO(cgroup, resources.blockIO)
  for (const { pageSize, limit } of resources.hugepageLimits ?? []) {
    const place = cgroup.controller('hugetlb')
    const file = place?.version === 1 ? 'limit_in_bytes' : 'max'
    if (place) cgroup.write(join(place.path, `hugetlb.${pageSize}.${file}`), String(limit))
  }
  // a limit that is absent is left out, and stays as it is: cgroup-v2.rst, rdma.max. The file is the same on v1
  for (const [device, { hcaHandles, hcaObjects }] of Object.entries(resources.rdma ?? {})) {
    const place = cgroup.controller('rdma')
    const keys = { hca_handle: hcaHandles, hca_object: hcaObjects }
    const set = Object.entries(keys).flatMap(([key, value]) => (value === undefined ? [] : `${key}=${value}`))
    if (place && set.length) cgroup.write(join(place.path, 'rdma.max'), [device, ...set].join(' '))
  }
  if (resources.devices) limitDevices(cgroup, resources.devices)
  const unified = Object.entries(resources.unified ?? {})
  const place = cgroup.folders.find(({ hierarchy }) => hierarchy.version === 2)?.path ?? ''
  for (const [file, value] of unified) {
    if (!/^[a-z0-9_.]+$/.test(file) || !place || !existsSync(join(place, file)))
      throw new MinilabError(
        'usage',
        `linux.resources.unified: there is no ${file} on this machine's cgroup v2`,
        'leave it out, or run where its controller is on v2',
      )
    cgroup.write(join(place, file), value)
  }
}
