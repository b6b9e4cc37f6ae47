import {
  type CgroupValue,
  hierarchies,
  hierarchyOf,
  readCgroup,
  type readings,
} from '../../lib/kernel/cgroup/cgroupfs.ts'

// The limits of this chapter, and how to read what the kernel made of them

/** The limits of the step's containers. */
export const LIMITS = {
  memory: 64 * 2 ** 20,
  cpu: { quota: 20_000, period: 100_000 }, // microseconds: a fifth of one CPU
  pids: 20,
}

/** The share of one CPU that the quota gives. */
export const ASKED = LIMITS.cpu.quota / LIMITS.cpu.period

/** The hierarchies that this chapter uses: one on v2, one for each controller on v1. */
export const relevant = () => [
  ...new Map(
    ['memory', 'cpu', 'pids', 'freezer'].flatMap(controller => {
      const hierarchy = hierarchyOf(controller)
      return hierarchy ? [[hierarchy.mount, { controller, hierarchy }] as const] : []
    }),
  ).values(),
]

/** Whether a process is in a different cgroup from ours. */
export function isApart(pid: number, controller: string): boolean {
  return hierarchyOf(controller, hierarchies(pid))?.own !== hierarchyOf(controller)?.own
}

/** A counter of the cgroup of a process; NaN if there is none. */
export const counter = (pid: number, what: keyof typeof readings) => Number(readCgroup(pid, what)?.value)

/** Quota and period in microseconds; v2 has both in one file. The quota is -1 or NaN if there is none. */
export function bandwidth(pid: number): { quota: number; period: number } {
  const [quota = NaN, period = counter(pid, 'cpuPeriod')] =
    readCgroup(pid, 'cpuQuota')?.value.split(' ').map(Number) ?? []
  return { quota, period }
}

/** Whether it is frozen: v1 says FROZEN, v2 says 1. */
export const isFrozen = (state: CgroupValue | undefined) => ['FROZEN', '1'].includes(state?.value ?? '')
