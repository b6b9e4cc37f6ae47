import { setTimeout } from 'node:timers/promises'
import type { Lab } from '../../lib/guide/lab.ts'
import type { Scene } from '../../lib/guide/step.ts'
import { cgroupOf } from '../../lib/kernel/cgroup.ts'
import {
  type CgroupValue,
  cpuUsageMicroseconds,
  hierarchies,
  hierarchyOf,
  readCgroup,
  type readings,
} from '../../lib/kernel/cgroupfs.ts'
import { until } from '../../lib/kernel/until.ts'

/** What the experiments of this step measured. */
export interface Measured {
  oom?: { killsBefore: number; status: number }
  cpu?: { throttledBefore: number; microseconds: number; wall: number; periods: number }
  /** the first process of the container in which the fork loop ran */
  forker?: number
  freezer?: { state: CgroupValue | undefined; stopped: number; later: number; thawed: number }
  /** the endless loop, as the container numbers it */
  loop?: string
}
type Own = Scene & Measured

/** What the step's containers may use. */
export const LIMITS = {
  memory: 64 * 2 ** 20,
  cpu: { quota: 20_000, period: 100_000 }, // microseconds: a fifth of one processor
  pids: 20,
}

/** How often the fork loop tries. */
export const FORKS = 40

const PERIODS = 10
const PATIENCE = 2500 // ms, for what takes a second at most

/** A number that the kernel keeps for the cgroup of a process; NaN where there is none. */
export const counter = (pid: number, what: keyof typeof readings) => Number(readCgroup(pid, what)?.value)

/** Whether a process is in another cgroup than we are. */
export function isApart(pid: number, controller: string): boolean {
  return hierarchyOf(controller, hierarchies(pid))?.own !== hierarchyOf(controller)?.own
}

/** A program inside touches twice the memory that its cgroup may have. */
export async function useTooMuchMemory({ scene }: Lab<Measured>): Promise<void> {
  const killsBefore = counter(scene.pid, 'oomKills')
  const { status } = await scene.shell.run(`dd if=/dev/zero of=/dev/null bs=${2 * LIMITS.memory} count=1`)
  scene.oom = { killsBefore, status }
}

/** An endless loop inside, and how much processor time it gets. */
export async function useAllProcessorTime({ scene }: Lab<Measured>): Promise<void> {
  const throttledBefore = counter(scene.pid, 'cpuThrottled')
  scene.loop = (await scene.shell.run('while :; do :; done & echo $!')).output.trim()
  // a quota is a ceiling: others who keep the machine busy can only take from it, so the best of four counts
  for (let i = 0; i < 4; i++) {
    const measured = { throttledBefore, ...(await measure(scene)) }
    if (!scene.cpu || shareOf(measured) > shareOf(scene.cpu)) scene.cpu = measured
    if (!(shareOf(scene.cpu) < 0.95 * ASKED)) return
  }
}

/** The share of one processor that the quota gives, and that which was measured. */
export const ASKED = LIMITS.cpu.quota / LIMITS.cpu.period
export const shareOf = (cpu: Measured['cpu']) => (cpu?.microseconds ?? NaN) / (cpu?.wall ?? NaN)

/** Processor time over whole periods, from the end of one to the end of another. */
async function measure(scene: Own) {
  const first = await periodAfter(scene, 1)
  const last = await periodAfter(scene, PERIODS)
  return {
    microseconds: last.used - first.used,
    wall: Number(last.at - first.at) / 1000,
    periods: last.periods - first.periods,
  }
}

async function periodAfter({ pid }: Own, count: number) {
  const end = counter(pid, 'cpuPeriods') + count
  await until(() => counter(pid, 'cpuPeriods') >= end, PATIENCE)
  return {
    periods: counter(pid, 'cpuPeriods'),
    used: cpuUsageMicroseconds(pid) ?? NaN,
    at: process.hrtime.bigint(),
  }
}

/** A loop that starts process after process, in a container of its own: none of them outlives its first process. */
export async function forkTooOften(lab: Lab<Measured>): Promise<void> {
  const { pid, shell } = await lab.another('a second container, for a loop that forks', {
    change: ({ spec }) => void delete spec.linux.resources?.cpu, // it need not be slow
  })
  lab.scene.forker = pid
  // in a subshell: a shell that cannot fork gives up
  shell.write(`(i=0; while [ $i -lt ${FORKS} ]; do sleep 100 & i=$((i + 1)); done) </dev/null\n`)
  const refused = readCgroup(pid, 'pidsRefused')
  // v2 tells of it by an event; v1 since Linux 6.11 no longer, kernel/cgroup/pids.c
  const event = refused?.version === 2 ? refused.file : undefined
  if (refused) await until(() => counter(pid, 'pidsRefused') > 0, PATIENCE, event)
}

/** Stops the container while its loop runs, and lets it go on. */
export async function freeze(lab: Lab<Measured>): Promise<void> {
  const { scene } = lab
  if (!isApart(scene.pid, 'freezer')) return // we would stop ourselves
  const used = () => cpuUsageMicroseconds(scene.pid) ?? NaN
  const cgroup = cgroupOf(scene.pid)
  let [state, stopped, later]: [CgroupValue | undefined, number, number] = [undefined, NaN, NaN]
  try {
    await cgroup.freeze(true)
    state = readCgroup(scene.pid, 'frozen')
    stopped = used()
    // that nothing happens has no event; longer than a period, after which a throttled loop would go on
    await setTimeout((2.5 * LIMITS.cpu.period) / 1000)
    later = used()
  } finally {
    await cgroup.freeze(false)
  }
  await until(() => used() > later, PATIENCE)
  scene.freezer = { state, stopped, later, thawed: used() }
  lab.requests('from outside, we stopped it and let it go on', cgroup.log)
  await scene.shell.run(`kill -KILL ${scene.loop}`)
}
