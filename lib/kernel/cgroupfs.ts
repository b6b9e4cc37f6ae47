import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { mountinfo } from './mountinfo.ts'

/** One cgroup hierarchy: where it is mounted, which controllers it holds, and where a process is in it. */
export interface Hierarchy {
  version: 1 | 2
  mount: string
  controllers: string[]
  /** the directory of the process that was asked about, below `mount` */
  own: string
}

/** How this machine arranges its cgroups: everything on v2, everything on v1, or v1 controllers beside a v2 tree. */
export type CgroupMode = 'v2' | 'v1' | 'hybrid' | 'none'

/**
 * The hierarchies, from /proc/self/mountinfo (where) and /proc/<pid>/cgroup (which, and where in it): cgroups(7).
 * Nothing is assumed about /sys/fs/cgroup.
 */
export function hierarchies(pid: number | 'self' = 'self'): Hierarchy[] {
  const found: Hierarchy[] = []
  const mounts = mountinfo().filter(m => m.type === 'cgroup' || m.type === 'cgroup2')
  for (const line of readFileSync(`/proc/${pid}/cgroup`, 'utf8').trimEnd().split('\n')) {
    const [id = '', names = '', ...rest] = line.split(':') // hierarchy-ID:controller-list:path
    const version = id === '0' && names === '' ? 2 : 1
    const controllers = names.split(',').filter(Boolean)
    const mount = mounts.find(m =>
      version === 2
        ? m.type === 'cgroup2'
        : m.type === 'cgroup' && controllers.every(c => m.superOptions.includes(c)),
    )
    if (!mount) continue
    found.push({
      version,
      mount: mount.target,
      controllers: version === 2 ? listFile(join(mount.target, 'cgroup.controllers')) : controllers,
      own: below(mount.target, mount.root, rest.join(':')),
    })
  }
  return found
}

/** The path of /proc/<pid>/cgroup as a directory: a mount may show only a part of the hierarchy, its `root`. */
function below(target: string, root: string, path: string): string {
  const inside = root !== '/' && path.startsWith(root) ? path.slice(root.length) : path
  return join(target, inside)
}

export function cgroupMode(found = hierarchies()): CgroupMode {
  const v1 = found.some(h => h.version === 1 && !h.controllers[0]?.startsWith('name='))
  const v2 = found.some(h => h.version === 2)
  return v1 && v2 ? 'hybrid' : v1 ? 'v1' : v2 ? 'v2' : 'none'
}

/** The hierarchy that holds a controller; v1's if both could (a controller is bound to one only). */
export function hierarchyOf(controller: string, found = hierarchies()): Hierarchy | undefined {
  return (
    found.find(h => h.version === 1 && h.controllers.includes(controller)) ??
    found.find(h => h.version === 2 && h.controllers.includes(controller))
  )
}

/** Words of a one-line file such as cgroup.controllers; none if there is no such file. */
export function listFile(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split(/\s+/).filter(Boolean) : []
}

/** Where to read what a controller says of one cgroup, by what it is called on v1 and on v2. */
interface Reading {
  controller: { v1: string; v2: string }
  v1: [file: string, key?: string]
  v2: [file: string, key?: string]
}
const both = (name: string) => ({ v1: name, v2: name })

/** What can be asked about a process's cgroup, in the same unit on both versions. Documentation/admin-guide/cgroup-v1, -v2.rst. */
export const readings = {
  /** bytes, or `max` */
  memoryLimit: { controller: both('memory'), v1: ['memory.limit_in_bytes'], v2: ['memory.max'] },
  /** how many processes the OOM killer has killed in it */
  oomKills: {
    controller: both('memory'),
    v1: ['memory.oom_control', 'oom_kill'],
    v2: ['memory.events', 'oom_kill'],
  },
  /** v1: microseconds, -1 for no limit; v2: "quota period" */
  cpuQuota: { controller: both('cpu'), v1: ['cpu.cfs_quota_us'], v2: ['cpu.max'] },
  cpuPeriods: { controller: both('cpu'), v1: ['cpu.stat', 'nr_periods'], v2: ['cpu.stat', 'nr_periods'] },
  cpuThrottled: {
    controller: both('cpu'),
    v1: ['cpu.stat', 'nr_throttled'],
    v2: ['cpu.stat', 'nr_throttled'],
  },
  /** v1: nanoseconds; v2: microseconds */
  cpuUsage: {
    controller: { v1: 'cpuacct', v2: 'cpu' },
    v1: ['cpuacct.usage'],
    v2: ['cpu.stat', 'usage_usec'],
  },
  pidsLimit: { controller: both('pids'), v1: ['pids.max'], v2: ['pids.max'] },
  pidsCurrent: { controller: both('pids'), v1: ['pids.current'], v2: ['pids.current'] },
  /** how often a fork was refused */
  pidsRefused: { controller: both('pids'), v1: ['pids.events', 'max'], v2: ['pids.events', 'max'] },
} satisfies Record<string, Reading>

/** A value and the file it was read from. */
export interface CgroupValue {
  source: string
  value: string
  version: 1 | 2
}

/** Reads one of `readings` for the cgroup that a process is in; undefined where no such controller is mounted. */
export function readCgroup(pid: number, what: keyof typeof readings): CgroupValue | undefined {
  const reading: Reading = readings[what]
  const found = hierarchies(pid)
  const hierarchy = hierarchyOf(reading.controller.v1, found) ?? hierarchyOf(reading.controller.v2, found)
  if (!hierarchy) return undefined
  const [file, key] = hierarchy.version === 1 ? reading.v1 : reading.v2
  const source = join(hierarchy.own, file)
  if (!existsSync(source)) return undefined
  const text = readFileSync(source, 'utf8').trimEnd()
  const value = key
    ? text
        .split('\n')
        .find(line => line.startsWith(key + ' '))
        ?.slice(key.length + 1)
    : text
  return value === undefined
    ? undefined
    : { source: key ? `${source} (${key})` : source, value, version: hierarchy.version }
}

/** Processor time that the cgroup has used, in microseconds. */
export function cpuUsageMicroseconds(pid: number): number | undefined {
  const usage = readCgroup(pid, 'cpuUsage')
  if (!usage) return undefined
  return usage.version === 1 ? Number(usage.value) / 1000 : Number(usage.value)
}
