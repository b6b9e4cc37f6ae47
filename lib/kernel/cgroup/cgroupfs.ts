import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Mount, mountinfo } from '../mount/mountinfo.ts'

/** One cgroup hierarchy: where it is mounted, which controllers it has, and a process's place in it. */
export interface Hierarchy {
  version: 1 | 2
  mount: string
  /** on v2 with `CORE`, for what needs no controller there */
  controllers: string[]
  /** the cgroup directory of the process in question, below `mount` */
  own: string
}

/** What needs a controller on v1, but is built into every cgroup of v2: cgroup.freeze, and usage_usec in cpu.stat. */
export const CORE = ['freezer', 'cpuacct']

/** How this machine arranges its cgroups: all on v2, all on v1, or v1 controllers beside a v2 tree. */
export type CgroupMode = 'v2' | 'v1' | 'hybrid' | 'none'

/**
 * The hierarchies, from /proc/self/mountinfo (where they are) and /proc/<pid>/cgroup (which, and the place in each): cgroups(7).
 * Nothing is assumed about /sys/fs/cgroup.
 */
export function hierarchies(pid: number | 'self' = 'self'): Hierarchy[] {
  return parseHierarchies(readFileSync(`/proc/${pid}/cgroup`, 'utf8'), mountinfo(), mount =>
    listFile(join(mount, 'cgroup.controllers')),
  )
}

/** Like `hierarchies`, from the text of /proc/<pid>/cgroup; `controllersOf` returns those of a v2 mount. */
export function parseHierarchies(
  text: string,
  mounts: readonly Mount[],
  controllersOf: (mount: string) => string[],
): Hierarchy[] {
  const found: Hierarchy[] = []
  for (const line of text.trimEnd().split('\n')) {
    const [id = '', names = '', ...rest] = line.split(':') // hierarchy-ID:controller-list:path
    const version = id === '0' && names === '' ? 2 : 1
    const controllers = names.split(',').filter(Boolean)
    const places = mounts.filter(m =>
      version === 2
        ? m.type === 'cgroup2'
        : m.type === 'cgroup' && controllers.every(c => m.superOptions.includes(c)),
    )
    // a hierarchy may be mounted more than once: use the mount that shows all of it
    const mount = places.find(m => m.root === '/') ?? places[0]
    if (!mount) continue
    found.push({
      version,
      mount: mount.target,
      controllers: version === 2 ? [...controllersOf(mount.target), ...CORE] : controllers,
      own: below(mount, rest.join(':')),
    })
  }
  return found
}

/** Turns a path of /proc/<pid>/cgroup into a directory: a mount may show only a part of the hierarchy, its `root`. */
function below({ target, root }: Mount, path: string): string {
  const shown = path === root || path.startsWith(root + '/')
  return resolve(join(target, root !== '/' && shown ? path.slice(root.length) : path))
}

export function cgroupMode(found = hierarchies()): CgroupMode {
  const v1 = found.some(h => h.version === 1 && !h.controllers[0]?.startsWith('name='))
  const v2 = found.some(h => h.version === 2)
  return v1 && v2 ? 'hybrid' : v1 ? 'v1' : v2 ? 'v2' : 'none'
}

/** The hierarchy that has a controller; v1's if both could (a controller is bound to only one). */
export function hierarchyOf(controller: string, found = hierarchies()): Hierarchy | undefined {
  return (
    found.find(h => h.version === 1 && h.controllers.includes(controller)) ??
    found.find(h => h.version === 2 && h.controllers.includes(controller))
  )
}

/** The place of a process in a hierarchy, from its /proc/<pid>/cgroup; the path is relative to the reader's cgroup namespace. */
export function pathIn(text: string, { version, controllers }: Hierarchy): string | undefined {
  for (const line of text.trimEnd().split('\n')) {
    const [, names = '', ...rest] = line.split(':')
    const found = version === 2 ? names === '' : names.split(',').includes(controllers[0] ?? '')
    if (found) return rest.join(':')
  }
  return undefined
}

/** The words of a one-line file such as cgroup.controllers; none if the file does not exist. */
export function listFile(path: string): string[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split(/\s+/).filter(Boolean) : []
}

/** Where a controller shows a value of one cgroup: the file, and the key in it, on v1 and on v2. */
interface Reading {
  controller: string
  v1: [file: string, key?: string]
  v2: [file: string, key?: string]
}

/** The values that can be read for a process's cgroup. Documentation/admin-guide/cgroup-v1/*.rst and cgroup-v2.rst. */
export const readings = {
  /** bytes; v2: `max` for no limit */
  memoryLimit: { controller: 'memory', v1: ['memory.limit_in_bytes'], v2: ['memory.max'] },
  /** bytes; v1: memory plus swap; v2: swap alone. The file is missing if swap is not accounted for */
  swapLimit: { controller: 'memory', v1: ['memory.memsw.limit_in_bytes'], v2: ['memory.swap.max'] },
  /** how many processes the OOM killer has killed in it */
  oomKills: {
    controller: 'memory',
    v1: ['memory.oom_control', 'oom_kill'],
    v2: ['memory.events', 'oom_kill'],
  },
  /** v1: microseconds, -1 for no limit; v2: `quota period`, and `max` for no limit */
  cpuQuota: { controller: 'cpu', v1: ['cpu.cfs_quota_us'], v2: ['cpu.max'] },
  /** v1: microseconds; v2: in the same file as the quota */
  cpuPeriod: { controller: 'cpu', v1: ['cpu.cfs_period_us'], v2: ['cpu.max'] },
  cpuPeriods: { controller: 'cpu', v1: ['cpu.stat', 'nr_periods'], v2: ['cpu.stat', 'nr_periods'] },
  cpuThrottled: { controller: 'cpu', v1: ['cpu.stat', 'nr_throttled'], v2: ['cpu.stat', 'nr_throttled'] },
  /** v1: nanoseconds; v2: microseconds */
  cpuUsage: { controller: 'cpuacct', v1: ['cpuacct.usage'], v2: ['cpu.stat', 'usage_usec'] },
  pidsLimit: { controller: 'pids', v1: ['pids.max'], v2: ['pids.max'] },
  pidsCurrent: { controller: 'pids', v1: ['pids.current'], v2: ['pids.current'] },
  /** how often a fork was refused */
  pidsRefused: { controller: 'pids', v1: ['pids.events', 'max'], v2: ['pids.events', 'max'] },
  /** v1: THAWED, FREEZING or FROZEN; v2: 0 or 1 */
  frozen: { controller: 'freezer', v1: ['freezer.state'], v2: ['cgroup.events', 'frozen'] },
  /** 1 if it should be frozen, even if it is not frozen yet */
  toldToFreeze: { controller: 'freezer', v1: ['freezer.self_freezing'], v2: ['cgroup.freeze'] },
} satisfies Record<string, Reading>

/** A value, the file it was read from, and the file with the key in it, in the form used for evidence. */
export interface CgroupValue {
  file: string
  source: string
  value: string
  version: 1 | 2
}

/**
 * Reads one of `readings` for the cgroup of a process; undefined if the controller is not mounted, or if the
 * cgroup has no such file: the root of a hierarchy has no limits.
 */
export function readCgroup(pid: number, what: keyof typeof readings): CgroupValue | undefined {
  const reading: Reading = readings[what]
  const hierarchy = hierarchyOf(reading.controller, hierarchies(pid))
  if (!hierarchy) return undefined
  const { version, own } = hierarchy
  const [name, key] = version === 1 ? reading.v1 : reading.v2
  const file = join(own, name)
  if (!existsSync(file)) return undefined
  const text = readFileSync(file, 'utf8').trimEnd()
  if (!key) return { file, source: file, value: text, version }
  const line = text.split('\n').find(l => l.startsWith(key + ' '))
  return line ? { file, source: `${file} (${key})`, value: line.slice(key.length + 1), version } : undefined
}

/** The CPU time that the cgroup has used, in microseconds. */
export function cpuUsageMicroseconds(pid: number): number | undefined {
  const usage = readCgroup(pid, 'cpuUsage')
  if (!usage) return undefined
  return usage.version === 1 ? Number(usage.value) / 1000 : Number(usage.value)
}
