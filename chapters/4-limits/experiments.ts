import { setTimeout } from 'node:timers/promises'
import type { Experiment } from '../../lib/guide/experiment.ts'
import type { Scene } from '../../lib/guide/step.ts'
import { cgroupOf } from '../../lib/kernel/cgroup/cgroup.ts'
import { type CgroupValue, cpuUsageMicroseconds, readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { status } from '../../lib/kernel/process/procfs.ts'
import { until } from '../../lib/common/until.ts'
import { ASKED, bandwidth, counter, isApart, isFrozen, LIMITS } from './readings.ts'

/** What the experiments of this step measured. */
export interface Measured {
  oom?: { killsBefore: number; status: number }
  cpu?: { throttledBefore: number; microseconds: number; wall: number; periods: number }
  /** the first process of the container in which the fork loop ran */
  forker?: number
  freezer?: Stopped
  /** the pid of the endless loop inside the container */
  loop?: string
}
type Own = Scene & Measured

/** A container that was told to stop, and then to go on: the states that the kernel reported, and its CPU time in µs. */
export interface Stopped {
  state: CgroupValue | undefined
  /** whether it was told to freeze */
  asked: CgroupValue | undefined
  /** the state of its first process, from /proc/<pid>/status */
  first: string
  stopped: number
  later: number
  /** the state that the kernel reported when it should go on */
  after: CgroupValue | undefined
  thawed: number
}

/** How often the fork loop tries. */
export const FORKS = 40

const MEASURED = 1_000_000 // µs: ten periods
const RETRY_TIMEOUT = 1000 // ms: most shells do not try again
const COUNTER_TIMEOUT = 60_000 // ms, so that it cannot hang: it takes a second if no other process wants the CPU

/** An act that needs its own cgroup. If there can be none, its stage says so. */
export const withCgroup =
  (act: (experiment: Experiment<Measured>) => Promise<void>) => async (experiment: Experiment<Measured>) => {
    if (experiment.whyNoLimits) experiment.limit(experiment.whyNoLimits.reason, experiment.whyNoLimits.remedy)
    await act(experiment)
  }

/** A program inside uses twice the memory that its cgroup may have. */
export async function useTooMuchMemory({ scene }: Experiment<Measured>): Promise<void> {
  const killsBefore = counter(scene.pid, 'oomKills')
  const { status } = await scene.shell.run(`dd if=/dev/zero of=/dev/null bs=${2 * LIMITS.memory} count=1`)
  scene.oom = { killsBefore, status }
}

/** An endless loop inside, and how much CPU time it gets. */
export async function useAllProcessorTime({ scene }: Experiment<Measured>): Promise<void> {
  const throttledBefore = counter(scene.pid, 'cpuThrottled')
  scene.loop = (await scene.shell.run('while :; do :; done & echo $!')).output.trim()
  if (!isApart(scene.pid, 'cpu')) return // what our own cgroup uses says nothing about it
  // on a busy machine others take time from it, or run between our reads of counter and clock: the best of four tries counts
  const off = (cpu: Measured['cpu']) => Math.abs(shareOf(cpu) / ASKED - 1)
  for (let i = 0; i < 4; i++) {
    const measured = { throttledBefore, ...(await measure(scene)) }
    if (!scene.cpu || off(measured) < off(scene.cpu)) scene.cpu = measured
    const { quota, period } = bandwidth(scene.pid)
    if (quota / period !== ASKED || off(scene.cpu) <= 0.05) return
  }
}

/** The share of one CPU that was measured. */
export const shareOf = (cpu: Measured['cpu']) => (cpu?.microseconds ?? NaN) / (cpu?.wall ?? NaN)

/** CPU time over whole periods, from the end of one to the end of another. */
async function measure(scene: Own) {
  const first = await periodAfter(scene, 1)
  const last = await periodAfter(scene, MEASURED / bandwidth(scene.pid).period)
  return {
    microseconds: last.used - first.used,
    wall: Number(last.at - first.at) / 1000,
    periods: last.periods - first.periods,
  }
}

async function periodAfter({ pid }: Own, count: number) {
  const end = counter(pid, 'cpuPeriods') + count
  // without a quota there are no periods, and a short time is enough
  if (bandwidth(pid).quota > 0) await until(() => counter(pid, 'cpuPeriods') >= end, COUNTER_TIMEOUT)
  else await setTimeout(LIMITS.cpu.period / 1000)
  return {
    periods: counter(pid, 'cpuPeriods'),
    used: cpuUsageMicroseconds(pid) ?? NaN,
    at: process.hrtime.bigint(),
  }
}

/** A loop that starts process after process, in its own container: all of them end with its first process. */
export async function forkTooOften(experiment: Experiment<Measured>): Promise<void> {
  const { pid, shell } = await experiment.another('a second container, for a loop that forks', {
    change: ({ spec }) => void delete spec.linux.resources?.cpu, // it need not be slow
  })
  experiment.scene.forker = pid
  // in a subshell: a shell that cannot fork gives up
  const loop = shell.run(`(i=0; while [ $i -lt ${FORKS} ]; do sleep 100 & i=$((i + 1)); done)`)
  let over = false
  const end = () => (over = true)
  loop.then(end, end) // some shells retry for a long time: then it ends with its container
  if (!isApart(pid, 'pids')) return // our own cgroup also counts other processes
  // v1 has no event for it since Linux 6.11, kernel/cgroup/pids.c
  await until(() => over || counter(pid, 'pidsRefused') > 0, COUNTER_TIMEOUT)
  await until(() => over, RETRY_TIMEOUT) // the subshell ends, and counts no more
}

/** Freezes the container while its loop runs, and lets it go on. */
export async function freeze(experiment: Experiment<Measured>): Promise<void> {
  const { scene } = experiment
  if (!isApart(scene.pid, 'freezer')) return // we would stop ourselves
  const cgroup = cgroupOf(scene.pid)
  try {
    scene.freezer = await stopAndGoOn(
      scene,
      () => cgroup.freeze(true),
      () => cgroup.freeze(false),
    )
  } catch (error) {
    await cgroup.freeze(false) // a frozen process cannot end
    throw error
  }
  experiment.requests('from outside, we froze it and thawed it', cgroup.log)
  await scene.shell.run(`kill -KILL ${scene.loop}`)
}

/** Stops a container and lets it go on, each in the given way, and watches what its loop does. */
export async function stopAndGoOn(
  { pid }: Scene,
  stop: () => Promise<void>,
  goOn: () => Promise<void>,
): Promise<Stopped> {
  const used = () => cpuUsageMicroseconds(pid) ?? NaN
  await stop()
  const [state, stopped] = [readCgroup(pid, 'frozen'), used()]
  const asked = readCgroup(pid, 'toldToFreeze')
  // no event says that nothing happens; so wait longer than a period, after which a throttled loop would go on
  await setTimeout((2.5 * LIMITS.cpu.period) / 1000)
  // only now: on a busy machine a signal takes time to stop a process
  const [first, later] = [status(pid).State ?? '', used()]
  await goOn()
  const after = readCgroup(pid, 'frozen')
  if (!isFrozen(after)) await until(() => used() > later, COUNTER_TIMEOUT)
  return { state, asked, first, stopped, later, after, thawed: used() }
}

/** Waits until the endless loop has used up its quota: it is then held back until the next period begins. */
export async function untilThrottled({ pid }: Scene): Promise<void> {
  const periods = counter(pid, 'cpuPeriods')
  await until(() => counter(pid, 'cpuPeriods') > periods, 1000)
  // a quota larger than all CPUs together holds nothing back, so this does not wait forever
  let used = NaN
  for (let looks = 200; looks > 0 && used !== cpuUsageMicroseconds(pid); looks--) {
    used = cpuUsageMicroseconds(pid) ?? NaN
    await setTimeout(5)
  }
}
