import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isKind } from '../../lib/common/errors.ts'
import { learnersError } from '../../lib/labs/problem.ts'
import { type Measured, stopAndGoOn, untilThrottled } from '../../chapters/4-limits/experiments.ts'
import { bandwidth, isApart, isFrozen } from '../../chapters/4-limits/readings.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import { type Cgroup, cgroupOf } from '../../lib/kernel/cgroup/cgroup.ts'
import type { CgroupValue } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { PipeLock } from '../../lib/kernel/process/pipe-lock.ts'
import { status } from '../../lib/kernel/process/procfs.ts'
import { until } from '../../lib/common/until.ts'
import { THREW } from '../../lib/labs/learners-code.ts'

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

const FREEZE_TIMEOUT = 10_000 // ms, for what takes a second where no other process wants the processor

const LOOK = 20 // ms
/** So many looks after the kernel has said that it is done, what waits on does not wait for that. */
const LOOKS = 100

const WORDS =
  'which words does the kernel write to the file that you wait for? print what you read, with its newline; v1 has no event for it, so until gets no file there'

/** What the kernel calls it when it is done. */
function wanted({ version }: Freezer, frozen: boolean): string {
  if (version === 1) return frozen ? 'FROZEN' : 'THAWED'
  return frozen ? '1' : '0'
}

/**
 * An error that freeze threw where it had waited for too long: whether it was only impatient, is seen by a second call, when the
 * kernel is done.
 */
async function missed(error: unknown, freeze: Freeze, freezer: Freezer, frozen: boolean): Promise<unknown> {
  if (!isKind(error, 'refused') || !error.message.includes(THREW)) return error
  const state = wanted(freezer, frozen)
  if (!(await until(() => stateNow(freezer).value === state, FREEZE_TIMEOUT))) return error
  const { what, remedy } = await freeze(freezer, frozen).then(
    () => ({
      what: `then the kernel was not done: it said ${state} a moment later`,
      remedy: 'wait longer: a process in the middle of a system call stops only when that is over',
    }),
    () => ({ what: `and so it does when the kernel says ${state} already`, remedy: WORDS }),
  )
  return learnersError({ what: `${error.message}, ${what}`, ...(error.at && { at: error.at }), remedy })
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
  const end = Date.now() + FREEZE_TIMEOUT
  // looks are counted, and not time: on a busy machine both of us get fewer
  for (let settled = 0; Date.now() < end;) {
    await sleep(LOOK)
    if (isOver()) return
    const { file, value } = stateNow(freezer)
    settled = value === wanted(freezer, frozen) ? settled + 1 : 0
    if (settled > LOOKS)
      throw learnersError({
        what: `the kernel has said ${value} in ${basename(file)} for ${(LOOKS * LOOK) / 1000} s, and freeze went on waiting`,
        remedy: WORDS,
      })
  }
  throw learnersError({
    what: `freeze had not come to an end after ${FREEZE_TIMEOUT / 1000} s`,
    remedy: WORDS,
  })
}

/** Stops the container in the learner's way, first while one of its processes cannot stop yet. And lets it go on. */
export async function freezeBy({ scene }: Experiment<Measured>, freeze: Freeze): Promise<void> {
  const { pid } = scene
  if (!isApart(pid, 'freezer')) return // it would be us who stop
  const cgroup = cgroupOf(pid)
  const freezer = cgroup.controller('freezer')
  if (!freezer) return // its checks say so
  try {
    const early = await whileHeld(cgroup, () => inTime(freeze, freezer, true).then(() => stateNow(freezer)))
    const stop = async () => {
      if (bandwidth(pid).quota > 0) await untilThrottled(scene)
      await inTime(freeze, freezer, true)
    }
    scene.freezer = await stopAndGoOn(scene, stop, () => inTime(freeze, freezer, false))
    if (!isFrozen(early)) scene.freezer.state = early
  } finally {
    await cgroup.freeze(false) // a frozen process cannot end
  }
  await scene.shell.run(`kill -KILL ${scene.loop}`)
}

/** In ms: how long a process stays in its system call. What waits for a while only, and not for the kernel, is back before. */
const HELD = 700
/** In seconds, where the code that we call gives our timer no turn: the kernel's own. */
const HELD_AT_MOST = 3

/** In so many looks, one each millisecond: by then it is no short wait for something else. */
const ASLEEP = 20

/**
 * Does something while a process in the cgroup sleeps in open(2), where neither a signal nor a freezer reaches it, and lets it
 * go on after a while. Our timer belongs to this thread: on the busiest machine a shorter one of `act` fires before.
 */
async function whileHeld<T>(cgroup: Cgroup, act: () => Promise<T>): Promise<T> {
  await using lock = new PipeLock(HELD_AT_MOST)
  const opener = spawn('/bin/sh', ['-c', 'while :; do : </proc/self/fd/3; done'], {
    stdio: ['ignore', 'ignore', 'ignore', lock.fd],
  })
  const ended = once(opener, 'exit')
  const pid = opener.pid ?? -1
  try {
    cgroup.join(pid)
    let asleep = 0
    const isAsleep = () => (asleep = status(pid).State?.startsWith('D') ? asleep + 1 : 0) >= ASLEEP
    if (!(await until(isAsleep, FREEZE_TIMEOUT)))
      throw new Error('no process sleeps in the kernel, which has locked a pipe')
    const timer = setTimeout(() => lock.release(), HELD)
    return await act().finally(() => clearTimeout(timer))
  } finally {
    lock.release()
    opener.kill('SIGKILL')
    await cgroup.freeze(false) // a frozen process cannot end
    await ended
  }
}
