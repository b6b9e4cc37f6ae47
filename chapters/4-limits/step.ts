import { limits } from '../../lib/container/parts/limits.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { program } from '../../lib/container/parts/process.ts'
import { root } from '../../lib/container/parts/root.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import type { Step } from '../../lib/guide/step.ts'
import { checks } from './checks.ts'
import {
  forkTooOften,
  FORKS,
  freeze,
  type Measured,
  useAllProcessorTime,
  useTooMuchMemory,
  withCgroup,
} from './experiments.ts'
import { predictions } from './predictions.ts'
import { LIMITS } from './readings.ts'

/** Starts the container, and shows what was done on the host for it. */
async function begin(experiment: Experiment<Measured>): Promise<void> {
  const { cgroup } = (await experiment.begin()).container
  if (cgroup)
    experiment.requests(
      'and this is what we did on the host, all before the child passed the gate',
      cgroup.log,
    )
}

const cannotLimit = (experiment: Experiment<Measured>) => experiment.whyNoLimits !== undefined

export const step: Step<Measured> = {
  ...chapter('limits'),
  parts: [namespaces, root, limits, program],
  teaches: ['limits'],
  scene: () => ({}),

  spec(spec) {
    spec.root.readonly = true
    spec.linux.resources = {
      // swap counts memory and swap together: equal to the limit, it means no swap
      memory: { limit: LIMITS.memory, swap: LIMITS.memory },
      // many shares, so that only the quota holds it back, even on a busy machine
      cpu: { ...LIMITS.cpu, shares: 65_536 },
      pids: { limit: LIMITS.pids },
    }
  },

  stages: [
    {
      title: 'A directory, some numbers, a pid',
      manual: ['cgroups(7)', 'cgroup_namespaces(7)'],
      source: { file: 'lib/container/parts/limits.ts', symbol: 'limits' },
      impossible: cannotLimit,
      predict: {
        question: 'The shell inside reads /proc/self/cgroup. Which path does it find there?',
        ...predictions.path,
        why: 'The root of its cgroup namespace is its own cgroup. If it had joined later, you would see another path.',
      },
      async act(experiment) {
        await begin(experiment)
        await withCgroup(async () => {})(experiment)
      },
      checks: [checks.apart, checks.fromBirth, checks.limits],
    },
    {
      title: 'More memory than it may have',
      manual: ['cgroups(7)', 'linux/Documentation/admin-guide/cgroup-v2.rst'],
      source: { file: 'chapters/4-limits/experiments.ts', symbol: 'useTooMuchMemory' },
      impossible: cannotLimit,
      predict: {
        question: 'Which exit status does the shell report for dd?',
        ...predictions.status,
        why: 'A shell reports a death by a signal as 128 plus the number of the signal, and SIGKILL is 9. Docker reports the same 137.',
      },
      act: withCgroup(useTooMuchMemory),
      checks: [checks.oomKill, checks.sigkill],
    },
    {
      title: 'A quota of CPU time',
      manual: ['cgroups(7)', 'linux/Documentation/scheduler/sched-bwc.rst'],
      source: { file: 'chapters/4-limits/experiments.ts', symbol: 'useAllProcessorTime' },
      impossible: cannotLimit,
      predict: {
        question: 'Suppose no other process wants that CPU. How much of it does the loop get?',
        ...predictions.share,
        why: 'The quota divided by the period, and no more, even on an idle machine. With several CPUs a quota may exceed the period: 200 ms of every 100 ms is two CPUs.',
      },
      act: withCgroup(useAllProcessorTime),
      checks: [checks.throttled, checks.share],
    },
    {
      title: 'As many processes as it may have',
      manual: ['cgroups(7)', 'fork(2)'],
      source: { file: 'chapters/4-limits/experiments.ts', symbol: 'forkTooOften' },
      impossible: cannotLimit,
      predict: {
        question: `How many processes does that container have after it has run “sleep &” ${FORKS} times?`,
        ...predictions.pids,
        why: 'At the limit, fork fails with EAGAIN, and no process is killed: the shell reports the error and gives up; the running processes run on.',
      },
      act: withCgroup(forkTooOften),
      checks: [checks.pids],
    },
    {
      title: 'Stop, and go on',
      manual: ['cgroups(7)', 'linux/Documentation/admin-guide/cgroup-v2.rst'],
      source: { file: 'lib/kernel/cgroup/cgroup.ts', symbol: 'Cgroup' },
      act: withCgroup(freeze),
      checks: [checks.frozen, checks.still],
    },
  ],

  recap:
    'You have a process that sees its own little machine and can use only so much of the big one: too much memory ends it, too much work slows it down, too many processes are refused. None of it is magic: a directory, a few numbers, and a pid written in time.',
  next: '`minilab step 5` replaces the single root file system with layers, so that many containers can share one image and each write to it.',
}
