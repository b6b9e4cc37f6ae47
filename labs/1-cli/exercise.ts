import type { Started } from '../../chapters/1-cli/step.ts'
import { defaultSpec } from '../../lib/container/default-spec.ts'
import type { Container, Part } from '../../lib/container/part.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import { changeAct } from '../../lib/guide/mutant.ts'
import type { Exit } from '../../lib/kernel/process/child.ts'
import { Gate } from '../../lib/kernel/tape/gate.ts'
import type { Tape } from '../../lib/kernel/tape/tape.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import { withOtherInputs } from './inputs.ts'
import { leakDirectories, leakMore, stayed } from './leaks.ts'
import { NOT_FOUND_HERE, searchStage } from './search.ts'
import { statusStage } from './status.ts'

export const exercise: Exercise<Started> = {
  ...chapter('cli'),
  goal: 'You turn a child into a program, with exactly the arguments, environment, directory and descriptors that it should have. Afterwards you can say what `execve` changes, what it keeps, and what becomes of an exit status.',
  manPages: ['execve(2)', 'environ(7)', 'chdir(2)', 'close_range(2)', 'exec(3)', 'wait(2)', 'signal(7)'],
  exports: { program: { part: 'process' }, shellStatus: 'function' },
  build: (step, { program, shellStatus }) => {
    const changed = changeAct(withOtherInputs(step), 'Start a program', async (experiment, right) => {
      leakDirectories(experiment)
      await right(experiment)
      await experiment.scene.shell.run(':') // a program that is not a shell ends now
    })
    const stages = changed.stages.map((stage, i) =>
      i === 0 ? { ...stage, checks: [...(stage.checks ?? []), stayed()] } : stage,
    )
    return {
      ...changed,
      parts: [leakMore, ...changed.parts],
      // first the stage that needs no program of the learner's: without one, the others cannot run
      stages: [statusStage(shellStatus as (exit: Exit) => number), ...stages, searchStage(program as Part)],
    }
  },

  tasks: [
    {
      id: 'execve',
      title: 'Become the program',
      text: 'A child has just been cloned from us, and makes the calls that you record. Make it become the program `args[0]`, which gets all of `args` unchanged: its own name first, arguments with spaces, and empty ones. No process may stand in between: the process that we wait for is the program.',
      checks: ['argv', 'parent', 'nothing-isolated', 'exit-status', 'exit-signal', 'signal-caught'],
      hints: [
        "One system call does it all. It takes a path, a list of arguments and a list for the environment. Is the program's own name one of the arguments?",
        '`execve`: the path is `args[0]`, the arguments are the whole of `args`. It does not return, so it is the last call.',
        '`tape.execve(args[0]!, args, env)`',
      ],
    },
    {
      id: 'environment',
      title: 'Give it its environment',
      text: 'An environment is not inherited automatically: the caller of `execve` passes one, and it can be any list. Give the program exactly `env`, and nothing of ours: our environment may hold secrets.',
      checks: ['environ'],
      hints: [
        'When a shell starts a program, whose environment does the program get? Who put it there?',
        'It is the third argument of `execve`: a list of strings of the form `NAME=value`, which `env` is already.',
        '`tape.execve(args[0]!, args, env)`',
      ],
    },
    {
      id: 'directory',
      title: 'Start it in its working directory',
      text: 'The working directory is inherited, so the child starts in ours. Move it to `cwd`; we ourselves stay where we are.',
      checks: ['cwd', 'we-stayed'],
      hints: [
        'Who has to move: the process that runs this JavaScript, or the child? And after the `execve` it is too late.',
        '`chdir`, recorded on the tape like the `execve`, and before it.',
        '`tape.chdir(cwd)`, above the line with `execve`.',
      ],
    },
    {
      id: 'descriptors',
      title: 'Close what it does not need',
      text: 'Open descriptors are inherited too, unless they are marked close-on-exec. Here a directory of the host was opened without that mark. In a container it would be a way out. The program must have 0, 1 and 2, and no others; you cannot know which numbers are open.',
      checks: ['descriptors'],
      hints: [
        'You do not need to know which are open: a whole range can be closed at once. Where does it begin, and where does it end?',
        '`close_range`, from 3 up to the greatest number that an unsigned int can have; its flags may be 0. When is it too late?',
        '`tape.close_range(3, 0xffffffff, 0)`, before the `execve`.',
      ],
    },
    {
      id: 'path',
      title: 'Find it along PATH',
      text: 'People type `sh`, not `/bin/sh`. `execve` needs a path; its caller does the search along `PATH`. If `args[0]` has no slash, try each folder of the `PATH` in `env`, in order, as `execvp` does: if the file is missing there, or cannot be executed, the search goes on. Later the container will have other files than the host, so only the child itself can look. Leave `args` as it is.',
      checks: ['search-path', 'slash'],
      record: (tape, { program }) => recordCommand(tape, program as Part),
      hints: [
        'You do not need to look first: an `execve` that is refused changes nothing. But a refused call ends the child, unless it is recorded as an attempt.',
        'Take the entry of `env` that begins with `PATH=`, split it at the colons, and record for each folder a `tape.attempt.execve(…)`: the first that succeeds does not return.',
        "`for (const folder of path.split(':')) tape.attempt.execve(folder + '/' + args[0], args, env)`; make the last one a `tape.execve`, so that a missing program is an error.",
      ],
    },
    {
      id: 'status',
      title: 'Say how it ended',
      writes: 'shellStatus',
      text: "A process ends by `exit(status)`, or a signal kills it; its parent learns which. A shell has only one number for both, `$?`, and so has docker. `shellStatus` gets `exit`, which has a `status` or a `signal` (the other is null), and returns that number. Find out what your shell does: `sh -c 'kill -TERM $$'; echo $?`",
      checks: ['shell-status'],
      record: () => {}, // nothing is recorded: there is no tape to compare
      hints: [
        'Kill a few shells with different signals, and subtract the numbers of the signals: what do the results have in common?',
        "128 plus the number of the signal: signal(7) lists them, and in JavaScript `import { constants } from 'node:os'` has them in `constants.signals`. An exit with 0 is an exit as well.",
        '`return exit.status ?? 128 + constants.signals[exit.signal!]`',
      ],
    },
  ],

  challenge:
    'Make the program end with us, even if SIGKILL kills us: `PR_SET_PDEATHSIG` of prctl(2), recorded only if the container says `diesWithUs`. But what if we die before the child makes that call? `gate.recordLife(tape)` is our answer: read why.',

  reasons: [
    {
      call: `execve("${NOT_FOUND_HERE}`,
      task: 'path',
      why: 'Folder by folder, in the order of PATH: the first that succeeds does not return.',
    },
    {
      call: 'execve(',
      task: 'execve',
      why: "Only `execve` turns a process into another program. It takes the path, all arguments with the program's own name first, and the environment.",
    },
    {
      call: 'chdir(',
      task: 'directory',
      why: 'The working directory is inherited, until the child itself moves.',
    },
    {
      call: 'close_range(',
      task: 'descriptors',
      why: 'The program inherits every open descriptor that is not marked close-on-exec. Closed before `chdir`, none of them can become its working directory.',
    },
  ],
}

/** What the part records for a command without a slash. */
function recordCommand(tape: Tape, program: Part): void {
  const spec = defaultSpec('/', ['tool'], false)
  spec.process.env = [`PATH=${NOT_FOUND_HERE}:/usr/bin:/bin`]
  const gate = new Gate()
  try {
    program.inside?.(tape, { spec, rootfs: '/', id: 'tool', diesWithUs: true } as Container, gate)
  } finally {
    gate.closeChildEnd()
    gate.close()
  }
}
