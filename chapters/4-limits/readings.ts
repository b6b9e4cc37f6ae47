import {
  type CgroupValue,
  hierarchies,
  hierarchyOf,
  readCgroup,
  type readings,
} from '../../lib/kernel/cgroup/cgroupfs.ts'

// What this chapter asks for, and how it reads what the kernel made of it.

/** What the step's containers may use. */
export const LIMITS = {
  memory: 64 * 2 ** 20,
  cpu: { quota: 20_000, period: 100_000 }, // microseconds: a fifth of one CPU
  pids: 20,
}

/** The share of one CPU that the quota gives. */
export const ASKED = LIMITS.cpu.quota / LIMITS.cpu.period

/** The hierarchies that matter here: one on v2, one for each controller on v1. */
export const relevant = () => [
  ...new Map(
    ['memory', 'cpu', 'pids', 'freezer'].flatMap(controller => {
      const hierarchy = hierarchyOf(controller)
      return hierarchy ? [[hierarchy.mount, { controller, hierarchy }] as const] : []
    }),
  ).values(),
]

/** Whether a process is in another cgroup than we are. */
export function isApart(pid: number, controller: string): boolean {
  return hierarchyOf(controller, hierarchies(pid))?.own !== hierarchyOf(controller)?.own
}

/** A number that the kernel keeps for the cgroup of a process; NaN where there is none. */
export const counter = (pid: number, what: keyof typeof readings) => Number(readCgroup(pid, what)?.value)

/** Quota and period in microseconds; v2 has both in one file. The quota is -1 or NaN where there is none. */
export function bandwidth(pid: number): { quota: number; period: number } {
  const [quota = NaN, period = counter(pid, 'cpuPeriod')] =
    readCgroup(pid, 'cpuQuota')?.value.split(' ').map(Number) ?? []
  return { quota, period }
}

/** v1 calls it FROZEN, v2 1. */
export const isFrozen = (state: CgroupValue | undefined) => ['FROZEN', '1'].includes(state?.value ?? '')
