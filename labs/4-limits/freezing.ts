import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { type Measured, stopAndGoOn, untilThrottled } from '../../chapters/4-limits/experiments.ts'
import { bandwidth, counter, isApart, isFrozen } from '../../chapters/4-limits/readings.ts'
import type { Lab } from '../../lib/guide/lab.ts'
import { type Cgroup, cgroupOf } from '../../lib/kernel/cgroup.ts'
import { type CgroupValue, cpuUsageMicroseconds } from '../../lib/kernel/cgroupfs.ts'
import { readControl, writeControl } from '../../lib/kernel/control-file.ts'
import { until } from '../../lib/kernel/until.ts'
import { WrittenError } from '../../lib/labs/problem.ts'
import { THREW } from '../../lib/labs/written.ts'

interface Freezer {
  version: 1 | 2
  path: string
}
export type Freeze = (freezer: Freezer, frozen: boolean) => Promise<void>

/** What the kernel calls it this very moment: one read and nothing before it. */
function stateNow({ version, path }: Freezer): CgroupValue {
  const file = join(path, version === 1 ? 'freezer.state' : 'cgroup.events')
  const text = readFileSync(file, 'utf8')
  const value = version === 1 ? text.trim() : (/^frozen (\d)/m.exec(text)?.[1] ?? '')
  return { file, source: file, value, version }
}

const LOOP = 'while :; do :; done'

const PATIENCE = 10_000 // ms, for what takes a second where nobody else wants the processor

const LOOK = 20 // ms
/** So many looks after the kernel has said that it is done, what waits on does not wait for that. */
const LOOKS = 100

const WORDS =
  'which words does the kernel write to the file that you wait for? print what you read, with its newline; v1 has no event for it, so until gets no file there'

/** What the kernel calls it when it is done. */
function wanted({ version }: Freezer, frozen: boolean): string {
  const [on, off] = version === 1 ? ['FROZEN', 'THAWED'] : ['1', '0']
  return frozen ? on! : off!
}

/**
 * An error that freeze threw where it had waited for too long: whether it was only impatient, is seen by a second call, when the
 * kernel is done.
 */
async function missed(error: unknown, freeze: Freeze, freezer: Freezer, frozen: boolean): Promise<unknown> {
  if (!(error instanceof WrittenError) || !error.message.includes(THREW)) return error
  const state = wanted(freezer, frozen)
  if (!(await until(() => stateNow(freezer).value === state, PATIENCE))) return error
  const [what, remedy] = await freeze(freezer, frozen).then(
    () => [
      `then the kernel was not done: it said ${state} a moment later`,
      'wait longer: what is throttled stops only when its next period begins',
    ],
    () => [`and so it does when the kernel says ${state} already`, WORDS],
  )
  return new WrittenError({
    what: `${error.message}, ${what}`,
    ...(error.at && { at: error.at }),
    remedy: remedy!,
  })
}

/** Calls freeze, and looks meanwhile whether it goes on waiting for what has come already. */
async function inTime(freeze: Freeze, freezer: Freezer, frozen: boolean): Promise<void> {
  let isOver = false
  const done = freeze(freezer, frozen)
    .catch(async (error: unknown) => {
      throw await missed(error, freeze, freezer, frozen)
    })
    .finally(() => (isOver = true))
  await Promise.race([done, overdue(freezer, frozen, () => isOver)])
}

/** Ends with the call of freeze; throws where that does not come to an end. */
async function overdue(freezer: Freezer, frozen: boolean, isOver: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE
  // looks are counted, and not time: on a busy machine both of us get fewer
  for (let settled = 0; Date.now() < end;) {
    await setTimeout(LOOK)
    if (isOver()) return
    const { file, value } = stateNow(freezer)
    settled = value === wanted(freezer, frozen) ? settled + 1 : 0
    if (settled > LOOKS)
      throw new WrittenError({
        what: `the kernel has said ${value} in ${basename(file)} for ${(LOOKS * LOOK) / 1000} s, and freeze went on waiting`,
        remedy: WORDS,
      })
  }
  throw new WrittenError({ what: `freeze had not come to an end after ${PATIENCE / 1000} s`, remedy: WORDS })
}

/** Stops the container in the learner's way, while its loop is throttled: then it takes a moment. And lets it go on. */
export async function freezeBy({ scene }: Lab<Measured>, freeze: Freeze): Promise<void> {
  const { pid } = scene
  if (!isApart(pid, 'freezer')) return // it would be us who stop
  const cgroup = cgroupOf(pid)
  const freezer = cgroup.controller('freezer')
  if (!freezer) return // its checks say so
  // more than there are processors: those that do not run just now stop only when it is their turn
  await scene.shell.run(`loops=${scene.loop}; for i in 1 2 3 4 5 6; do ${LOOP} & loops="$loops $!"; done`)
  try {
    const state = await whileSlow(cgroup, pid, async () => {
      await inTime(freeze, freezer, true)
      const state = stateNow(freezer)
      await cgroup.freeze(false)
      return state
    })
    const stop = async () => {
      if (bandwidth(pid).quota > 0) await untilThrottled(scene)
      await inTime(freeze, freezer, true)
    }
    scene.freezer = await stopAndGoOn(scene, stop, () => inTime(freeze, freezer, false))
    if (state && !isFrozen(state)) scene.freezer.state = state
  } finally {
    await cgroup.freeze(false) // a frozen process cannot end
  }
  await scene.shell.run('kill -KILL $loops')
}

/** Of each second 50 ms: what is throttled then stops only when the next second begins. The longest period that there is. */
const SLOW = { quota: 50_000, period: 1_000_000 }

/** Does something while a cgroup has used up its processor time for most of a second; not where it has no controller for that. */
async function whileSlow<T>(cgroup: Cgroup, pid: number, act: () => Promise<T>): Promise<T | undefined> {
  const cpu = cgroup.controller('cpu')
  if (!cpu || !isApart(pid, 'cpu')) return undefined
  const settings: [file: string, value: string][] =
    cpu.version === 1
      ? [
          ['cpu.cfs_period_us', `${SLOW.period}`],
          ['cpu.cfs_quota_us', `${SLOW.quota}`],
        ]
      : [['cpu.max', `${SLOW.quota} ${SLOW.period}`]]
  const before = settings.map(([file]) => [join(cpu.path, file), readControl(join(cpu.path, file))] as const)
  for (const [file, value] of settings) writeControl(join(cpu.path, file), value)
  try {
    await throttledAnew(pid)
    return await act()
  } finally {
    for (const [file, value] of before.toReversed()) writeControl(file, value)
  }
}

/**
 * Until its processes have used up their time, and most of the period is left: what waits for a while only, and not for the
 * kernel, then comes back too early. On a busy machine a period may have gone by before we look: then the next one.
 */
async function throttledAnew(pid: number): Promise<void> {
  const end = Date.now() + PATIENCE
  let began: number // at the earliest
  do {
    const periods = counter(pid, 'cpuPeriods')
    const used = cpuUsageMicroseconds(pid) ?? NaN
    began = Date.now()
    await until(() => {
      if (counter(pid, 'cpuPeriods') > periods) return true
      began = Date.now()
      return false
    }, PATIENCE)
    await until(() => (cpuUsageMicroseconds(pid) ?? NaN) > used + SLOW.quota / 2, PATIENCE)
    await atRest(pid)
  } while (Date.now() - began > FRESH && Date.now() < end)
}

const FRESH = 350 // ms, of the 1000 of a period

/** Until its processes have not run for a while that is longer than a tick of any kernel, 10 ms. */
async function atRest(pid: number): Promise<void> {
  for (let used = NaN; used !== cpuUsageMicroseconds(pid);) {
    used = cpuUsageMicroseconds(pid) ?? NaN
    await setTimeout(30)
  }
}
