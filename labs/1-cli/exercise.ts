import type { Started } from '../../chapters/1-cli/step.ts'
import { defaultSpec } from '../../lib/container/default-spec.ts'
import type { Container, Part } from '../../lib/container/part.ts'
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
  number: 1,
  name: 'cli',
  title: 'A process, and nothing around it',
  goal: 'You turn a child into a program, with exactly the arguments, environment, directory and descriptors that it shall have. Afterwards you can say what `execve` changes, what it leaves, and what becomes of an exit status.',
  manPages: ['execve(2)', 'environ(7)', 'chdir(2)', 'close_range(2)', 'exec(3)', 'wait(2)', 'signal(7)'],
  exports: { program: { part: 'process' }, shellStatus: 'function' },
  build: (step, { program, shellStatus }) => {
    const changed = changeAct(withOtherInputs(step), 'Start a program', async (experiment, right) => {
      leakDirectories(experiment)
      await right(experiment)
      await experiment.scene.shell.run(':') // who is no shell ends now
    })
    const stages = changed.stages.map((stage, i) =>
      i === 0 ? { ...stage, checks: [...(stage.checks ?? []), stayed()] } : stage,
    )
    return {
      ...changed,
      parts: [leakMore, ...changed.parts],
      // what needs no program of the learner's comes first: without one there is nothing after it
      stages: [statusStage(shellStatus as (exit: Exit) => number), ...stages, searchStage(program as Part)],
    }
  },

  tasks: [
    {
      id: 'execve',
      title: 'Become the program',
      text: 'A child has just been cloned from us, and runs what you record. Let it become the program `args[0]`, which gets all of `args` as they are: blanks, empty ones, and its own name as the first. Nothing may stand in between: the process that we wait for is the program.',
      checks: ['argv', 'parent', 'nothing-isolated', 'exit-status', 'exit-signal', 'signal-caught'],
      hints: [
        'One system call does it all. It takes a path, a list of arguments and a list for the environment. Is the program’s own name one of the arguments?',
        '`execve`: the path is `args[0]`, the arguments are the whole of `args`. It does not return, so it is the last call.',
        '`tape.execve(args[0]!, args, env)`',
      ],
    },
    {
      id: 'environment',
      title: 'Give it its environment',
      text: 'An environment is not inherited by itself: whoever calls `execve` passes one on, and it can be any list. The program shall have exactly `env`, and nothing of ours: what is in ours may be a secret.',
      checks: ['environ'],
      hints: [
        'Whose environment does a program have that a shell starts? Who has put it there?',
        'It is the third argument of `execve`: a list of strings of the form `NAME=value`, which `env` is already.',
        '`tape.execve(args[0]!, args, env)`',
      ],
    },
    {
      id: 'directory',
      title: 'Start it in its working directory',
      text: 'The working directory is inherited, so the child stands where we stand. It shall work in `cwd`; we ourselves stay where we are.',
      checks: ['cwd', 'we-stayed'],
      hints: [
        'Who has to move: the process that runs this JavaScript, or the child? And after the `execve` it is too late.',
        '`chdir`, recorded on the tape like the `execve`, and before it.',
        '`tape.chdir(cwd)`, above the line with `execve`.',
      ],
    },
    {
      id: 'descriptors',
      title: 'Close what is not its business',
      text: 'Open descriptors are inherited too, unless they are marked close-on-exec. Here somebody has opened a directory of the host and forgotten the mark. In a container that would be a way out. The program shall have 0, 1 and 2, and no other; you cannot know which numbers are open.',
      checks: ['descriptors'],
      hints: [
        'You need not know which are open: a whole range can be closed at once. Where does it begin, and where does it end?',
        '`close_range`, from 3 up to the greatest number that an unsigned int can have; its flags may be 0. When is it too late?',
        '`tape.close_range(3, 0xffffffff, 0)`, before the `execve`.',
      ],
    },
    {
      id: 'path',
      title: 'Find it along PATH',
      text: 'People type `sh`, not `/bin/sh`. `execve` wants a path; the search along `PATH` is done by the caller. If `args[0]` has no slash, try each folder of the `PATH` in `env`, in order, as `execvp` does: where it is not there, or cannot be executed, the search goes on. Later the container will have other files than the host, so only the child itself can look. `args` stays as it is.',
      checks: ['search-path', 'slash'],
      record: (tape, { program }) => recordCommand(tape, program as Part),
      hints: [
        'A search needs no look beforehand: an `execve` that is refused changes nothing. But a refused call ends the child, unless it was only an attempt.',
        'Take the entry of `env` that begins with `PATH=`, split it at the colons, and record for each folder a `tape.attempt.execve(…)`: the first that succeeds does not return.',
        "`for (const folder of path.split(':')) tape.attempt.execve(folder + '/' + args[0], args, env)`; let the last one be a `tape.execve`, so that it is an error if there is none.",
      ],
    },
    {
      id: 'status',
      title: 'Say how it ended',
      writes: 'shellStatus',
      text: "A process ends by `exit(status)`, or a signal kills it; its parent is told which. A shell has only one number for both, `$?`, and docker too. `shellStatus` gets `exit`, with a `status` or a `signal`, of which the other is null, and returns that number. Find out what your shell does: `sh -c 'kill -TERM $$'; echo $?`",
      checks: ['shell-status'],
      record: () => {}, // nothing is recorded: there is no tape to compare
      hints: [
        'Kill a few shells by different signals, and subtract: what do the numbers have in common?',
        "128 plus the number of the signal: signal(7) lists them, and in JavaScript `import { constants } from 'node:os'` has them in `constants.signals`. An exit with 0 is an exit as well.",
        '`return exit.status ?? 128 + constants.signals[exit.signal!]`',
      ],
    },
  ],

  challenge:
    'Let the program end with us, even if somebody kills us with SIGKILL: `PR_SET_PDEATHSIG` of prctl(2), recorded only where the container says `diesWithUs`. But what if we are dead before the child comes to that call? `gate.recordLife(tape)` is our answer: read why.',

  reasons: [
    {
      call: `execve("${NOT_FOUND_HERE}`,
      task: 'path',
      why: 'Folder by folder, in the order of PATH: the first that succeeds does not return.',
    },
    {
      call: 'execve(',
      task: 'execve',
      why: 'Only `execve` makes a process another program: its path, all its arguments with its own name first, and its environment.',
    },
    {
      call: 'chdir(',
      task: 'directory',
      why: 'The working directory is inherited, until the child itself moves.',
    },
    {
      call: 'close_range(',
      task: 'descriptors',
      why: 'Whatever is open and not marked close-on-exec is the program’s as well; closed before `chdir`, nothing of it can become its working directory.',
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
