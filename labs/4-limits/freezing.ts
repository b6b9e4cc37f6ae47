import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { certain } from '../../lib/common/certain.ts'
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

/** The state that the kernel reports right now: a single read. */
function stateNow({ version, path }: Freezer): CgroupValue {
  const file = join(path, version === 1 ? 'freezer.state' : 'cgroup.events')
  const text = readFileSync(file, 'utf8')
  const value = version === 1 ? text.trim() : (/^frozen (\d)/m.exec(text)?.[1] ?? '')
  return { file, source: file, value, version }
}

const FREEZE_TIMEOUT = 10_000 // ms, for what takes a second if no other process wants the CPU

const LOOK = 20 // ms
/** A freeze that still waits this many looks after the kernel is done waits for something else. */
const LOOKS = 100

const WORDS =
  'which words does the kernel write to the file that you wait for? print what you read, with its newline; v1 has no event for it, so until gets no file there'

/** The state that the kernel reports when it is done. */
function wanted({ version }: Freezer, frozen: boolean): string {
  if (version === 1) return frozen ? 'FROZEN' : 'THAWED'
  return frozen ? '1' : '0'
}

/**
 * An error that freeze threw after it had waited for too long. A second call, once the kernel is done, shows whether it was only
 * impatient.
 */
async function missed(error: unknown, freeze: Freeze, freezer: Freezer, frozen: boolean): Promise<unknown> {
  if (!isKind(error, 'refused') || !error.message.includes(THREW)) return error
  const state = wanted(freezer, frozen)
  if (!(await until(() => stateNow(freezer).value === state, FREEZE_TIMEOUT))) return error
  const { what, remedy } = await freeze(freezer, frozen).then(
    () => ({
      what: `but the kernel was not done: it said ${state} a moment later`,
      remedy: 'wait longer: a process in the middle of a system call stops only when that is over',
    }),
    () => ({ what: `and it also does so when the kernel says ${state} already`, remedy: WORDS }),
  )
  return learnersError({ what: `${error.message}, ${what}`, ...(error.at && { at: error.at }), remedy })
}

/** Calls freeze, and watches whether it keeps waiting after the kernel is done. */
async function inTime(freeze: Freeze, freezer: Freezer, frozen: boolean): Promise<void> {
  let isOver = false
  const done = freeze(freezer, frozen)
    .catch(async (error: unknown) => {
      throw await missed(error, freeze, freezer, frozen)
    })
    .finally(() => (isOver = true))
  await Promise.race([done, overdue(freezer, frozen, () => isOver)])
}

/** Ends when the call of freeze ends; throws if it does not end. */
async function overdue(freezer: Freezer, frozen: boolean, isOver: () => boolean): Promise<void> {
  const end = Date.now() + FREEZE_TIMEOUT
  // count looks, not time: on a busy machine freeze and we both get fewer
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
    what: `freeze had not ended after ${FREEZE_TIMEOUT / 1000} s`,
    remedy: WORDS,
  })
}

/** Stops the container in the learner's way, first while one of its processes cannot stop yet. And lets it go on. */
export async function freezeBy({ scene }: Experiment<Measured>, freeze: Freeze): Promise<void> {
  const { pid } = scene
  if (!isApart(pid, 'freezer')) return // we would stop ourselves
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

/** In ms: how long a process stays in its system call. A freeze that does not wait for the kernel returns before. */
const HELD = 700
/** In seconds: a timeout of the kernel's, in case the code that we call blocks our timer. */
const HELD_AT_MOST = 3

/** In looks, one each millisecond: after these it is not a short wait for something else. */
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
  await once(opener, 'spawn') // throws if there is no process: kill() would then signal our own process group, by kill(0)
  const ended = once(opener, 'exit')
  const pid = certain(opener.pid)
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
