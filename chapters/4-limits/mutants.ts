import { setPriority } from 'node:os'
import { join } from 'node:path'
import { limits } from '../../lib/container/parts/limits.ts'
import type { Part } from '../../lib/container/part.ts'
import { withoutNamespace } from '../../lib/guide/leave-out.ts'
import {
  changeAct,
  changeCalls,
  changePart,
  changeSpec,
  type Mutant,
  withoutCalls,
} from '../../lib/guide/mutant.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import type { Step } from '../../lib/guide/step.ts'
import { cgroupOf } from '../../lib/kernel/cgroup/cgroup.ts'
import { hierarchyOf } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { CLONE_NEWCGROUP, RLIMIT_AS, RLIMIT_NPROC } from '../../lib/kernel/syscalls/constants.ts'
import { status } from '../../lib/kernel/process/procfs.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'
import { until } from '../../lib/common/until.ts'
import { type Measured, stopAndGoOn, type Stopped, untilThrottled, withCgroup } from './experiments.ts'
import { isApart, isFrozen, LIMITS } from './readings.ts'

/** Stages that some of them change, by their titles. */
const JOIN = 'A directory, some numbers, a pid'
const MEMORY = 'More memory than it may have'
const FREEZE = 'Stop, and go on'

type Own = Step<Measured>

/** The cgroup version that freezes here. */
const FREEZER = hierarchyOf('freezer')?.version

/** Wrong ways to build this chapter's part. */
export const mutants: Mutant<Measured>[] = [
  {
    name: 'never-joined',
    misconception: 'the limits were written, but the process never joined the cgroup',
    breaks: {
      'own-cgroup': 'never joined',
      'limited-from-the-first-instruction': 'never joined',
      'limits-set': 'never joined',
      'oom-kill': 'never joined',
      'oom-sigkill': 'never joined',
      'cpu-throttled': 'never joined',
      'cpu-share': 'never joined',
      'pids-stopped': 'never joined',
      frozen: 'never joined',
      'frozen-still': 'never joined',
    },
    change: step => changeLimits(step, { attach() {} }),
  },
  {
    name: 'joined-late',
    misconception: 'the process joined the cgroup after its program had started',
    breaks: { 'limited-from-the-first-instruction': 'it joined too late' },
    change: step =>
      changeAct(
        // the second container is not involved
        changeLimits(step, {
          attach: (box, pid) => (box.id.endsWith('-0') ? undefined : limits.attach?.(box, pid)),
        }),
        JOIN,
        async (experiment, right) => {
          await right(experiment)
          experiment.box?.container.cgroup?.join(experiment.box.pid)
        },
      ),
  },
  {
    name: 'namespace-before-join',
    misconception: 'the cgroup namespace was made by the clone, before the process had joined its cgroup',
    breaks: { 'limited-from-the-first-instruction': 'the namespace came too early' },
    change: step =>
      changePart(
        withoutCalls(step, 'namespaces', ({ call }) => call === 'unshare'),
        'namespaces',
        right => ({ ...right, flags: spec => (right.flags?.(spec) ?? 0) | CLONE_NEWCGROUP }),
      ),
  },
  {
    name: 'no-cgroup-namespace',
    misconception: "a cgroup was thought to need no namespace, so the process sees it by the host's path",
    breaks: { 'limited-from-the-first-instruction': 'unshare(CLONE_NEWCGROUP) never ran' },
    change: step => withoutNamespace(step, 'cgroup'),
  },
  {
    name: 'no-limits',
    misconception: 'its own cgroup was thought to limit it, even without a number in it',
    breaks: unlimited('no limit was written'),
    change: step => changeSpec(step, spec => void delete spec.linux.resources),
  },
  {
    name: 'limits-elsewhere',
    misconception: 'the limits were written to one cgroup, and the process joined another',
    breaks: unlimited('written to another cgroup'),
    change: step =>
      changeLimits(step, {
        async prepare(container) {
          await limits.prepare?.(container)
          const linux = {
            ...container.spec.linux,
            resources: {},
            cgroupsPath: `/minilab/${container.id}-other`,
          }
          const other = { ...container, spec: { ...container.spec, linux } }
          await limits.prepare?.(other)
          other.cgroup?.log.unshift(...(container.cgroup?.log ?? []))
          container.cgroup = other.cgroup
        },
      }),
  },
  {
    name: 'rlimit-as',
    misconception: 'memory was limited with RLIMIT_AS, for the first process and those it starts',
    breaks: { 'limits-set': 'RLIMIT_AS', 'oom-kill': 'RLIMIT_AS', 'oom-sigkill': 'RLIMIT_AS' },
    change: step =>
      withResourceLimit(
        changeSpec(step, ({ linux }) => void delete linux.resources?.memory),
        RLIMIT_AS,
        LIMITS.memory,
      ),
  },
  {
    name: 'no-swap-limit',
    misconception: 'a memory limit was thought to apply to swap too',
    breaks: { 'limits-set': 'swap is not' },
    change: step => {
      const unswapped = changeSpec(step, ({ linux }) => void delete linux.resources?.memory?.swap)
      // what happens then depends on whether this machine has swap
      return { ...unswapped, stages: unswapped.stages.filter(({ title }) => title !== MEMORY) }
    },
  },
  {
    name: 'other-period',
    misconception: 'the quota was set, but not the period that it is a part of',
    breaks: { 'limits-set': 'the period is not', 'cpu-share': 'the period is not' },
    change: step =>
      changeSpec(step, ({ linux }) => Object.assign(linux.resources?.cpu ?? {}, { period: 250_000 })),
  },
  {
    name: 'nice',
    misconception: 'the process was made nice instead of getting a quota',
    breaks: { 'limits-set': 'made nice', 'cpu-throttled': 'made nice', 'cpu-share': 'made nice' },
    change: step =>
      changeLimits(
        changeSpec(step, ({ linux }) => void delete linux.resources?.cpu),
        {
          async attach(container, pid) {
            await limits.attach?.(container, pid)
            setPriority(pid, 19)
          },
        },
      ),
  },
  {
    name: 'rlimit-nproc',
    misconception: 'the number of processes was limited with RLIMIT_NPROC',
    breaks: { 'limits-set': 'RLIMIT_NPROC', 'pids-stopped': 'RLIMIT_NPROC' },
    change: step =>
      withResourceLimit(
        changeSpec(step, ({ linux }) => void delete linux.resources?.pids),
        RLIMIT_NPROC,
        LIMITS.pids,
      ),
  },
  {
    name: 'first-not-counted',
    misconception: 'the process limit was thought not to count the first process',
    breaks: { 'limits-set': 'first process counts', 'pids-stopped': 'first process counts' },
    change: step =>
      changeSpec(step, ({ linux }) => Object.assign(linux.resources?.pids ?? {}, { limit: LIMITS.pids + 1 })),
  },
  {
    name: 'sigstop',
    misconception: 'the container was stopped by a SIGSTOP to its first process',
    breaks: { frozen: 'SIGSTOP', 'frozen-still': 'SIGSTOP' },
    change: step =>
      stopOtherwise(step, async ({ box, scene }) => {
        const stopped = () => status(scene.pid).State?.startsWith('T') ?? false
        return stopAndGoOn(
          scene,
          async () => void (box?.child?.kill('SIGSTOP') && (await until(stopped, 1000))),
          async () => void box?.child?.kill('SIGCONT'),
        )
      }),
  },
  {
    name: 'freezing-not-awaited',
    misconception: 'FROZEN was written, and the container was taken for frozen',
    breaks: { frozen: 'not waited for', ...(FREEZER === 1 && { 'frozen-still': 'not waited for' }) },
    change: step =>
      stopOtherwise(step, async ({ scene }) => {
        const cgroup = cgroupOf(scene.pid)
        const { path = '', version = 2 } = cgroup.controller('freezer') ?? {}
        const [file, frozen] = version === 1 ? ['freezer.state', 'FROZEN'] : ['cgroup.freeze', '1']
        const stop = async () => {
          await untilThrottled(scene)
          cgroup.write(join(path, file), frozen)
        }
        const goOn = () => cgroup.freeze(false)
        for (let attempts = 20; ; attempts--) {
          const early = await stopAndGoOn(scene, stop, goOn)
          // on a busy machine it may freeze between our write and our read
          const seen = !isFrozen(early.state) && (version === 2 || early.stopped < early.later)
          if (!seen && attempts > 0) continue
          if (version === 1) return early
          // v1 stops the loop only when it runs again; on v2 it may be before or after, so the times are those of a full stop
          const { state } = early
          return { ...(await stopAndGoOn(scene, () => cgroup.freeze(true), goOn)), state }
        }
      }),
  },
  {
    name: 'never-thawed',
    misconception: 'the container was frozen to look at it, and then forgotten',
    breaks: { 'frozen-still': 'never thawed' },
    change: step =>
      stopOtherwise(step, ({ scene }) => {
        const forget = () => Promise.resolve()
        return stopAndGoOn(scene, () => cgroupOf(scene.pid).freeze(true), forget)
      }),
  },
]

/** The checks that fail if the cgroup has no limits. */
function unlimited(why: string): Record<string, string> {
  const ids = ['limits-set', 'oom-kill', 'oom-sigkill', 'cpu-throttled', 'cpu-share', 'pids-stopped']
  return Object.fromEntries(ids.map(id => [id, why]))
}

const changeLimits = (step: Own, changed: Partial<Part>) =>
  changePart(step, 'limits', right => ({ ...right, ...changed }))

/** The step whose last stage stops the container in another way. */
function stopOtherwise(step: Own, stop: (experiment: Experiment<Measured>) => Promise<Stopped>): Own {
  const act = withCgroup(async experiment => {
    const { pid } = experiment.scene
    if (!isApart(pid, 'freezer')) return
    try {
      experiment.scene.freezer = await stop(experiment)
    } finally {
      await cgroupOf(pid).freeze(false) // a frozen process cannot end
    }
  })
  return changeAct(step, FREEZE, act)
}

/** The step with a resource limit, setrlimit(2), set before the program starts. */
function withResourceLimit(step: Own, resource: number, limit: number): Own {
  return changeCalls(step, 'process', ops => {
    const tape = new Tape()
    tape.part = limits.name
    tape.prlimit64(0, resource, { cur: limit, max: limit }, null)
    return [...tape.ops, ...ops]
  })
}
