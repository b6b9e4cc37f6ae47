import { limitsSet } from '../../chapters/4-limits/cgroup-checks.ts'
import { type Measured, withCgroup } from '../../chapters/4-limits/experiments.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import { changeAct } from '../../lib/guide/mutant.ts'
import type { Step } from '../../lib/guide/step.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import { type Freeze, freezeBy } from './freezing.ts'
import { JOIN, watchJoining } from './joining.ts'
import { otherLimitsStage } from './others.ts'

const FREEZE = 'Stop, and go on'

/** A check for each limit; the step has one for all of them. */
const SET = [
  limitsSet('memory-set', 'its limits of memory and swap are the ones that were asked for', [
    'memoryLimit',
    'swapLimit',
  ]),
  limitsSet('cpu-set', 'its quota of CPU time is the one that was asked for', ['cpuQuota', 'cpuPeriod']),
  limitsSet('pids-set', 'its limit of processes is the one that was asked for', ['pidsLimit']),
]

export const exercise: Exercise<Measured> = {
  ...chapter('limits'),
  goal: "You make a cgroup, write limits into it and put a process there. Afterwards you can say what a container's memory, CPU and process limits are, what happens at each of them, and what `docker pause` does.",
  manPages: ['cgroups(7)', 'cgroup_namespaces(7)', 'mkdir(2)', 'fork(2)', 'signal(7)'],
  image: 'as the root',
  exports: { limits: { part: 'limits' }, freeze: 'function' },
  build: (step, { freeze }) => {
    const changed = changeAct(
      watchJoining(withChecks(step)),
      FREEZE,
      withCgroup(experiment => freezeBy(experiment, freeze as Freeze)),
    )
    return { ...changed, stages: changed.stages.toSpliced(1, 0, otherLimitsStage()) }
  },

  tasks: [
    {
      id: 'join',
      title: 'Make its cgroup, and put it in',
      text: '`planCgroup(container)` says which directories a cgroup has on this machine. Make them in `prepare`. In `attach` the child waits at its gate: put it into each of them. It must be there before its program starts; what the program starts later is then born there.',
      checks: ['own-cgroup', 'limited-from-the-first-instruction'],
      hints: [
        'A cgroup is a directory: you make it like any other, and its files come with it. One of those files lists the processes in it.',
        "`mkdirSync` for each of `planCgroup(container).folders`; then write the child's pid to the file `cgroup.procs` in each.",
        "`for (const { path } of planCgroup(container).folders) mkdirSync(path)`, and in `attach`, for each of `cgroup?.folders ?? []`: `writeControl(join(path, 'cgroup.procs'), String(pid))`.",
      ],
    },
    {
      id: 'memory',
      title: 'Limit its memory, and swap with it',
      refused: /\/memory\.\w/,
      text: '`spec.linux.resources.memory` has two numbers in bytes: `limit`, and `swap`, which counts memory and swap together. Write them to the cgroup. The two versions of cgroups count swap differently: the top of your file says how. What does not fit must end the program, not go to swap.',
      checks: ['memory-set', 'other-memory', 'oom-kill', 'oom-sigkill'],
      hints: [
        "A limit is text in a file of the controller's directory. Which of the two files can refuse a number because of the number in the other?",
        "Find the directory by `cgroup.controller('memory')`, then `writeControl`: memory first. On v1 `memsw` takes `swap` as it is, on v2 `memory.swap.max` takes what is beyond memory.",
        "`const { version, path } = cgroup.controller('memory')!`; on v1 `writeControl(join(path, 'memory.limit_in_bytes'), String(limit))` and `…memsw.limit_in_bytes` with `String(swap)`; on v2 `memory.max` with `limit`, and `memory.swap.max` with `swap - limit`.",
      ],
    },
    {
      id: 'cpu',
      title: 'Give it a share of a CPU',
      refused: /\/cpu\.\w/,
      text: '`spec.linux.resources.cpu` has `quota` and `period` in microseconds: it may run for that quota in each period, then it waits for the next period. Write both.',
      checks: ['cpu-set', 'other-cpu', 'cpu-throttled', 'cpu-share'],
      hints: [
        'A process that is nice, or has few shares, still gets all CPU time that no other process wants. A quota is an upper limit: which files does your version have for it?',
        'On v1 two files, `cpu.cfs_period_us` and `cpu.cfs_quota_us`; on v2 one, `cpu.max`, with both numbers and a space between them.',
        "On v1 `writeControl(join(path, 'cpu.cfs_quota_us'), String(quota))`, and the period likewise; on v2 `writeControl(join(path, 'cpu.max'), [quota, period].join(' '))`.",
      ],
    },
    {
      id: 'pids',
      title: 'Limit how many processes there are',
      refused: /\/pids\.\w/,
      text: '`spec.linux.resources.pids.limit` says how many processes may be in the cgroup, including the first one. At the limit, the kernel must refuse a `fork`; no process is killed.',
      checks: ['pids-set', 'other-pids', 'pids-stopped'],
      hints: [
        'There is an old process limit, RLIMIT_NPROC: it counts the processes of a user, and does not apply to root. You want one that counts the processes in the cgroup.',
        'The controller is called `pids`, and both versions call the file `pids.max`.',
        "`writeControl(join(cgroup.controller('pids')!.path, 'pids.max'), String(pids.limit))`.",
      ],
    },
    {
      id: 'freeze',
      title: 'Stop all of it, and let it go on',
      refused: /freeze/,
      writes: 'freeze',
      text: "`freeze` is `docker pause` and `unpause`: it gets the freezer's directory of a cgroup and whether its processes must stop or go on. It must not return before that is done: a process deep in the kernel, or one that is throttled, stops only a moment later. The kernel says when all have stopped.",
      checks: ['frozen', 'frozen-still'],
      hints: [
        'Writing to the file is a request. Where does the kernel say when it is done?',
        'On v1 write `FROZEN` or `THAWED` to `freezer.state` and read it again, until it no longer says `FREEZING`. On v2 write `1` or `0` to `cgroup.freeze`, and read `frozen 1` or `frozen 0` in `cgroup.events`.',
        "`writeControl(join(path, 'freezer.state'), state)` and `await until(() => readFileSync(join(path, 'freezer.state'), 'utf8').trim() === state, 5000)`; on v2 `await until(() => readFileSync(events, 'utf8').includes(frozen ? 'frozen 1' : 'frozen 0'), 5000, events)`.",
      ],
    },
  ],

  challenge:
    'Several containers compete: give each a weight instead of an upper limit (`resources.cpu.shares`; `cpu.shares` on v1, 2 to 262144; `cpu.weight` on v2, 1 to 10000), start two busy ones on the same CPU, and compare their `cpu.stat` or `cpuacct.usage`.',

  onHost: true,
  reasons: [],
}

/** The step with a check for each of the limits, instead of one for all. */
const withChecks = (step: Step<Measured>): Step<Measured> => ({
  ...step,
  stages: step.stages.map(stage =>
    stage.title === JOIN
      ? { ...stage, checks: [...(stage.checks ?? []).filter(({ id }) => id !== 'limits-set'), ...SET] }
      : stage,
  ),
})
