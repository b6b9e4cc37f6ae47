import { constants } from 'node:os'
import type { ProcessSpec } from '../../lib/container/spec.ts'
import {
  callsOf,
  changeAct,
  changeCalls,
  changePart,
  type Mutant,
  withoutCalls,
} from '../../lib/guide/mutant.ts'
import type { Step } from '../../lib/guide/step.ts'
import type { Exit } from '../../lib/kernel/process/child.ts'
import {
  AT_FDCWD,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  CLONE_VFORK,
  CLONE_VM,
  F_SETFD,
  FD_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
} from '../../lib/kernel/syscalls/constants.ts'
import type { Tape } from '../../lib/kernel/tape/tape.ts'
import type { Started } from './step.ts'

const { SIGCHLD, SIGUSR1 } = constants.signals

/** Wrong ways to build this chapter's part. */
export const mutants: Mutant<Started>[] = [
  {
    name: 'joined-arguments',
    misconception: 'a command was taken for one string, to be split at its spaces',
    breaks: { argv: 'joined into one string' },
    change: step => asking(step, ({ args }) => ({ args: args.join(' ').split(' ') })),
  },
  {
    name: 'wrapper',
    misconception: 'the program was started by a shell, which waits for it and reports how it ended',
    breaks: {
      argv: 'not the program but a wrapper',
      'exit-signal': 'a shell in between',
      'signal-caught': 'a process in between',
    },
    change: step =>
      asking(step, ({ args }) => ({ args: ['/bin/sh', '-c', 'trap : USR1; "$@"; exit $?', 'sh', ...args] })),
  },
  {
    name: 'double-fork',
    misconception: 'the program was started as daemons are: by a child that ends and leaves it an orphan',
    breaks: {
      parent: 'a process in between',
      'exit-status': 'a process in between',
      'exit-signal': 'a process in between',
      'signal-caught': 'a process in between',
    },
    change: step =>
      orphaned(before(step, tape => tape.become({ flags: CLONE_VM + CLONE_VFORK, exitSignal: SIGCHLD }))),
  },
  {
    name: 'inherited-environment',
    misconception: 'the program was given our own environment',
    breaks: { environ: 'our own environment was passed to execve' },
    change: step =>
      asking(step, () => ({ env: Object.entries(process.env).map(([name, value]) => `${name}=${value}`) })),
  },
  {
    name: 'empty-environment',
    misconception: 'the environment was thought to be inherited automatically, so execve was given none',
    breaks: { environ: 'an empty environment' },
    change: step => asking(step, () => ({ env: [] })),
  },
  {
    name: 'no-chdir',
    misconception: 'the working directory was forgotten: it is inherited like everything else',
    breaks: { cwd: 'chdir was left out' },
    change: step => withoutCalls(step, 'process', ({ call }) => call === 'chdir'),
  },
  {
    name: 'leaked-descriptor',
    misconception:
      'a directory was opened without O_CLOEXEC, and was not closed before execve (CVE-2024-21626)',
    breaks: { descriptors: 'neither closed nor marked close-on-exec' },
    change: step =>
      withoutCalls(
        before(step, tape => tape.openat(AT_FDCWD, '/', O_RDONLY | O_DIRECTORY, 0)),
        'process',
        ({ call }) => call === 'close_range',
      ),
  },
  {
    name: 'no-stderr',
    misconception: 'only 0 and 1 were passed on; 2 stayed close-on-exec',
    breaks: { descriptors: 'There is no 2' },
    change: step => before(step, tape => tape.fcntl(2, F_SETFD, FD_CLOEXEC)),
  },
  {
    name: 'raw-status',
    misconception: 'the status word of wait(2) was taken for the exit status',
    breaks: { 'exit-status': 'without WEXITSTATUS', 'exit-signal': 'read as a status' },
    change: step =>
      changeAct(step, 'How a process ends', async (experiment, right) => {
        await right(experiment)
        experiment.scene.exited = statusWord(experiment.scene.exited)
        experiment.scene.killed = statusWord(experiment.scene.killed)
      }),
  },
  {
    name: 'ignored-signal',
    misconception: 'a signal that we ignore was thought to have its default effect in the program',
    breaks: { 'signal-caught': 'ignored when the program started' },
    change: step => before(step, tape => tape.rt_sigaction(SIGUSR1, 'SIG_IGN', null, 8)),
  },
  {
    name: 'early-namespaces',
    misconception:
      'a process was thought to be a container from the start, so clone3 got flags for namespaces',
    breaks: { 'nothing-isolated': 'CLONE_NEW* flags' },
    change: step =>
      changePart(step, 'process', part => ({ ...part, flags: () => CLONE_NEWUSER | CLONE_NEWUTS })),
  },
]

/** The step that starts another program than the requested one. */
function asking(step: Step<Started>, change: (asked: ProcessSpec) => Partial<ProcessSpec>): Step<Started> {
  return changePart(step, 'process', right => ({
    ...right,
    inside(tape, container, gate) {
      const { process } = container.spec
      const spec = { ...container.spec, process: { ...process, ...change(process) } }
      right.inside?.(tape, { ...container, spec }, gate)
    },
  }))
}

/** The step with other calls before those of the part. */
function before(step: Step<Started>, record: (tape: Tape) => void): Step<Started> {
  return changeCalls(step, 'process', ops => [...callsOf('process', record), ...ops])
}

/**
 * The step in which the program is an orphan, so not our child: it tells us its pid. Its parent ends at once, so it must not
 * die with its parent.
 */
function orphaned(step: Step<Started>): Step<Started> {
  const outlivesUs = withoutCalls(step, 'process', ({ call }) => call === 'prctl')
  return changeAct(outlivesUs, 'Start a program', async (experiment, right) => {
    await right(experiment)
    experiment.scene.pid = Number((await experiment.scene.shell.run('echo $$')).output)
  })
}

/** The status word of wait(2): an exit status is in its second byte, the number of a killing signal in its first. */
function statusWord(exit?: Exit): Exit | undefined {
  if (!exit) return undefined
  const { status, signal } = exit
  return { status: signal ? constants.signals[signal] : Number(status) << 8, signal: null }
}
