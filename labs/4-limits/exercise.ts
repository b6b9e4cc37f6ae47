import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { limitsSet } from '../../chapters/4-limits/checks.ts'
import {
  type Measured,
  stopAndGoOn,
  untilThrottled,
  withCgroup,
} from '../../chapters/4-limits/experiments.ts'
import { bandwidth, isApart, isFrozen } from '../../chapters/4-limits/readings.ts'
import type { Container } from '../../lib/container/part.ts'
import type { Lab } from '../../lib/guide/lab.ts'
import { changeAct, changePart } from '../../lib/guide/mutant.ts'
import type { Check, Step } from '../../lib/guide/step.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import { otherLimitsStage } from './others.ts'
import { WrittenError } from '../../lib/labs/problem.ts'
import { cgroupOf } from '../../lib/kernel/cgroup.ts'
import { type CgroupValue, hierarchies } from '../../lib/kernel/cgroupfs.ts'
import { writeControl } from '../../lib/kernel/control-file.ts'

interface Freezer {
  version: 1 | 2
  path: string
}
type Freeze = (freezer: Freezer, frozen: boolean) => Promise<void>

const JOIN = 'A directory, some numbers, a pid'
const FREEZE = 'Stop, and go on'

/** Each limit by itself, where the step has one check for all of them. */
const SET = [
  limitsSet('memory-set', 'its limits of memory and swap are those that were asked for', [
    'memoryLimit',
    'swapLimit',
  ]),
  limitsSet('cpu-set', 'its quota of processor time is the one that was asked for', [
    'cpuQuota',
    'cpuPeriod',
  ]),
  limitsSet('pids-set', 'its limit of processes is the one that was asked for', ['pidsLimit']),
]

export const exercise: Exercise<Measured> = {
  number: 4,
  name: 'limits',
  title: 'How much it may use',
  goal: 'You make a cgroup, write limits into it and put a process there: afterwards you can say what a container’s memory, processor and process limits are, what happens at each of them, and what `docker pause` does.',
  manPages: ['cgroups(7)', 'cgroup_namespaces(7)', 'mkdir(2)', 'fork(2)', 'signal(7)'],
  image: 'as the root',
  exports: { limits: { part: 'limits' }, freeze: 'function' },
  build: (step, { freeze }) => {
    const changed = changeAct(
      withoutOthers(withChecks(step)),
      FREEZE,
      withCgroup(lab => freezeBy(lab, freeze as Freeze)),
    )
    const [join, ...others] = changed.stages
    return { ...changed, stages: [join!, otherLimitsStage(), ...others] }
  },

  tasks: [
    {
      id: 'join',
      title: 'Make its cgroup, and put it in',
      text: '`planCgroup(container)` says which directories a cgroup has on this machine. Make them in `prepare`. In `attach` the child waits at its gate: put it into each of them. It must be in there before its program begins; what it starts later is then born in there.',
      checks: ['own-cgroup', 'limited-from-the-first-instruction'],
      hints: [
        'A cgroup is a directory: it comes into being like any other, and its files come with it. One of those files lists who is in it.',
        '`mkdirSync` for each of `planCgroup(container).folders`; then write the child’s pid to the file `cgroup.procs` in each.',
        "`for (const { path } of planCgroup(container).folders) mkdirSync(path)`, and in `attach`, for each of `cgroup?.folders ?? []`: `writeControl(join(path, 'cgroup.procs'), String(pid))`.",
      ],
    },
    {
      id: 'memory',
      title: 'Limit its memory, and swap with it',
      text: '`spec.linux.resources.memory` has two numbers in bytes: `limit`, and `swap`, which counts memory and swap together. Write them to the cgroup. The two versions of cgroups count swap differently: the head of your file says how. What does not fit must end the program, and not go to a disk.',
      checks: ['memory-set', 'other-memory', 'oom-kill', 'oom-sigkill'],
      hints: [
        'A limit is text in a file of the controller’s directory. Which of the two files can refuse a number because of what stands in the other?',
        "Find the directory by `cgroup.controller('memory')`, then `writeControl`: memory first. On v1 `memsw` takes `swap` as it is, on v2 `memory.swap.max` takes what is beyond memory.",
        "`const { version, path } = cgroup.controller('memory')!`; on v1 `writeControl(join(path, 'memory.limit_in_bytes'), String(limit))` and `…memsw.limit_in_bytes` with `String(swap)`; on v2 `memory.max` with `limit`, and `memory.swap.max` with `swap - limit`.",
      ],
    },
    {
      id: 'cpu',
      title: 'Give it a share of a processor',
      text: '`spec.linux.resources.cpu` has `quota` and `period` in microseconds: so much of each period it may run, then it waits for the next one. Write both.',
      checks: ['cpu-set', 'other-cpu', 'cpu-throttled', 'cpu-share'],
      hints: [
        'Whoever is nice, or has few shares, still gets all that nobody else wants. A quota is a ceiling: which files does your version have for it?',
        'On v1 two files, `cpu.cfs_period_us` and `cpu.cfs_quota_us`; on v2 one, `cpu.max`, with both numbers and a space between them.',
        "On v1 `writeControl(join(path, 'cpu.cfs_quota_us'), String(quota))`, and the period likewise; on v2 `writeControl(join(path, 'cpu.max'), [quota, period].join(' '))`.",
      ],
    },
    {
      id: 'pids',
      title: 'Limit how many processes there are',
      text: '`spec.linux.resources.pids.limit` says how many processes may be in it, the first one too. At the limit a `fork` shall be refused; nobody is killed.',
      checks: ['pids-set', 'other-pids', 'pids-stopped'],
      hints: [
        'There is an old limit of processes, RLIMIT_NPROC: it counts those of a user, and root is free of it. You want one that counts those in the cgroup.',
        'The controller is called `pids`, and both versions call the file `pids.max`.',
        "`writeControl(join(cgroup.controller('pids')!.path, 'pids.max'), String(pids.limit))`.",
      ],
    },
    {
      id: 'freeze',
      title: 'Stop all of it, and let it go on',
      writes: 'freeze',
      text: '`freeze` is `docker pause` and `unpause`: it gets the freezer’s directory of a cgroup and whether its processes shall stop or go on. It must not say that it is done before it is: a process deep in the kernel, or one that is throttled, stops only a moment later. The kernel says when all have.',
      checks: ['frozen', 'frozen-still'],
      hints: [
        'Writing to the file is a request. Where does the kernel tell what has come of it?',
        'On v1 write `FROZEN` or `THAWED` to `freezer.state` and read it again, until it no longer says `FREEZING`. On v2 write `1` or `0` to `cgroup.freeze`, and read `frozen 1` or `frozen 0` in `cgroup.events`.',
        "`writeControl(join(path, 'freezer.state'), state)` and `await until(() => readFileSync(join(path, 'freezer.state'), 'utf8').trim() === state, 5000)`; on v2 `await until(() => readFileSync(events, 'utf8').includes(frozen ? 'frozen 1' : 'frozen 0'), 5000, events)`.",
      ],
    },
  ],

  challenge:
    'Several containers compete: give each a weight in place of a ceiling (`resources.cpu.shares`; `cpu.shares` on v1, 2 to 262144; `cpu.weight` on v2, 1 to 10000), start two busy ones on the same processor, and compare their `cpu.stat` or `cpuacct.usage`.',

  onHost: true,
  reasons: [],
}

/** The step with a check for each of the limits, in the place of the one for all. */
const withChecks = (step: Step<Measured>): Step<Measured> => ({
  ...step,
  stages: step.stages.map(stage =>
    stage.title === JOIN
      ? { ...stage, checks: [...(stage.checks ?? []).filter(({ id }) => id !== 'limits-set'), ...SET] }
      : stage,
  ),
})

/** A cgroup that got another process than the child: that one goes back at once, and the check says which it was. */
function withoutOthers(step: Step<Measured>): Step<Measured> {
  const home = hierarchies()
  const others = new Set<number>()
  const sendHome = ({ cgroup }: Container, child: number) => {
    for (const pid of cgroup?.pids() ?? []) {
      if (pid === child) continue
      others.add(pid)
      for (const { hierarchy } of cgroup!.folders) {
        const { own } = home.find(({ mount }) => mount === hierarchy.mount)!
        writeControl(join(own, 'cgroup.procs'), String(pid))
      }
    }
  }
  const telling = (check: Check<Measured>): Check<Measured> => ({
    ...check,
    async look(scene) {
      const found = await check.look(scene)
      if (found.ok !== false || others.size === 0) return found
      return { ...found, diagnosis: wrongPid([...others], scene.pid) }
    },
  })
  const watched = changePart(step, 'limits', written => ({
    ...written,
    async attach(container, pid) {
      try {
        await written.attach?.(container, pid)
      } finally {
        sendHome(container, pid)
      }
    },
  }))
  return {
    ...watched,
    stages: watched.stages.map(stage =>
      stage.title === JOIN ? { ...stage, checks: (stage.checks ?? []).map(telling) } : stage,
    ),
  }
}

const wrongPid = (others: number[], pid: number) =>
  `cgroup.procs was given ${others.map(other => (other === process.pid ? `our own pid (${other})` : other)).join(', ')} in place of the child’s. A pid is written as the writer’s pid namespace numbers it: here the container’s first process is ${pid}, not 1.`

/** What the kernel calls it this very moment: one read and nothing before it. */
function stateNow({ version, path }: Freezer): CgroupValue {
  const file = join(path, version === 1 ? 'freezer.state' : 'cgroup.events')
  const text = readFileSync(file, 'utf8')
  const value = version === 1 ? text.trim() : (/^frozen (\d)/m.exec(text)?.[1] ?? '')
  return { file, source: file, value, version }
}

const LOOP = 'while :; do :; done'

/** How often a container is stopped: what is not waited for may by chance be done already. */
const ATTEMPTS = 4

const PATIENCE = 10_000 // ms, for what takes a tenth of a second where nobody else wants the processor

async function inTime(done: Promise<void>): Promise<void> {
  const end = new AbortController()
  const late = setTimeout(PATIENCE, undefined, { signal: end.signal }).then(() => {
    throw new WrittenError({
      what: `freeze had not come to an end after ${PATIENCE / 1000} s`,
      remedy: 'which words does the kernel write to the file that you wait for? print what you read',
    })
  })
  try {
    await Promise.race([done, late])
  } finally {
    end.abort()
    late.catch(() => {}) // nobody waits for it any more
  }
}

/** Stops the container in the learner's way, while its loop is throttled: then it takes a moment. And lets it go on. */
async function freezeBy({ scene }: Lab<Measured>, freeze: Freeze): Promise<void> {
  const { pid } = scene
  if (!isApart(pid, 'freezer')) return // it would be us who stop
  const cgroup = cgroupOf(pid)
  const freezer = cgroup.controller('freezer')
  if (!freezer) return // its checks say so
  const stop = async () => {
    if (bandwidth(pid).quota > 0) await untilThrottled(scene)
    await inTime(freeze(freezer, true))
  }
  // more than there are processors: those that do not run just now stop only when it is their turn
  await scene.shell.run(`loops=${scene.loop}; for i in 1 2 3 4 5 6; do ${LOOP} & loops="$loops $!"; done`)
  let early: CgroupValue | undefined
  try {
    for (let i = 1; i < ATTEMPTS && !early; i++) {
      await stop()
      const state = stateNow(freezer)
      await cgroup.freeze(false)
      if (!isFrozen(state)) early = state
    }
    scene.freezer = await stopAndGoOn(scene, stop, () => inTime(freeze(freezer, false)))
    if (early) scene.freezer.state = early
  } finally {
    await cgroup.freeze(false) // a frozen process cannot end
  }
  await scene.shell.run('kill -KILL $loops')
}
