import { program } from '../../lib/container/parts/process.ts'
import type { Exit } from '../../lib/kernel/process/child.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import type { Step } from '../../lib/guide/step.ts'
import { unlessGone, nulSeparated } from '../../lib/kernel/process/procfs.ts'
import { until } from '../../lib/common/until.ts'
import { checks } from './checks.ts'

/** What the program should get, and how two other programs ended. */
export interface Started {
  args: string[]
  env: string[]
  cwd: string
  /** how a program that called `exit 42` ended, and one that a signal killed */
  exited?: Exit | undefined
  killed?: Exit | undefined
  /** what the shell printed when SIGUSR1 reached it */
  answered: string
}

const wanted = {
  args: ['/bin/sh', '-s', '--', 'one', 'two words', ''],
  env: ['PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', 'LESSON=a container is a process', 'EMPTY='],
  cwd: process.cwd() === '/tmp' ? '/' : '/tmp', // not our own, so that a missing chdir is noticed
}

/** Starts another shell with a command that ends it; returns how it ended. */
async function ending(experiment: Experiment<Started>, command: string): Promise<Exit | undefined> {
  const { shell, child } = await experiment.another(`a shell that is told: ${command}`, {})
  shell.write(`${command}\n`)
  return child?.exit
}

export const step: Step<Started> = {
  ...chapter('cli'),
  parts: [program],
  teaches: ['process'],
  scene: () => ({ ...wanted, answered: '' }),

  spec(spec) {
    Object.assign(spec.process, wanted)
    spec.linux.namespaces = []
  },

  stages: [
    {
      title: 'Start a program',
      manual: ['clone(2)', 'execve(2)', 'environ(7)'],
      source: { file: 'lib/container/parts/process.ts', symbol: 'program' },
      async act(experiment) {
        const { pid } = await experiment.begin()
        // we wait as after vfork(2); execve(2) ends that wait a moment before the new program's arguments can be read:
        // begin_new_exec() comes before create_elf_tables(), fs/binfmt_elf.c
        await until(
          () => (unlessGone(() => nulSeparated(`/proc/${pid}/cmdline`)) ?? [pid]).length > 0,
          10_000,
        )
      },
      checks: [checks.argv, checks.environ, checks.cwd, checks.descriptors, checks.parent],
    },
    {
      title: 'How a process ends',
      manual: ['_exit(2)', 'wait(2)', 'signal(7)'],
      source: { file: 'lib/kernel/process/child.ts', symbol: 'Child' },
      async act(experiment) {
        experiment.scene.exited = await ending(experiment, 'exit 42')
        experiment.scene.killed = await ending(experiment, 'kill -TERM $$')
        await experiment.scene.shell.run('trap "echo caught SIGUSR1" USR1')
        experiment.box?.child?.kill('SIGUSR1')
        experiment.scene.answered = (await experiment.scene.shell.run(':')).output.trim()
      },
      checks: [checks.exit, checks.signal, checks.caught],
    },
    {
      title: 'Is it isolated?',
      manual: ['namespaces(7)'],
      predict: {
        question: 'How many of its eight namespaces does this process have to itself?',
        choices: ['0', '1 (pid)', '8'],
        answer: checks.namespaces.own,
        why: 'A plain `clone3` shares everything: the new process sees our hostname, our mounts, our network and all processes.',
      },
      checks: [checks.namespaces],
    },
  ],

  recap:
    'You have started a program the way every shell, container runtime and init does: a handful of recorded calls (a tape), ending in `execve`. It can see and do everything that you can. That is the baseline.',
  next: '`minilab step 2` adds namespaces to the same clone, and the process finds itself alone.',
}
