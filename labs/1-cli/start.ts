// Lab 1: a process, and nothing around it.   The tasks: minilab lab 1   Look again: minilab check 1
// `tape.` with the name of a system call records that call; the child makes the recorded calls in order, once it exists.
import { type Exit, type Part } from 'minilab'

/** Tasks 1 to 5: what a child does to become the program. It has its descriptors 0, 1 and 2 already. */
export const program: Part = {
  name: 'process',
  inside(tape, { spec }) {
    // spec.process has it all: args ['/bin/sh', '-s', …], env ['PATH=/usr/bin:/bin', …], cwd '/tmp'
    // TODO 4: close what it does not need: every descriptor above 2
    // TODO 3: go to its working directory
    // TODO 1: become the program args[0], with all of `args`
    // TODO 2: … and with exactly the environment that it should have
    // TODO 5: find a name without a slash along the PATH of its environment
  },
}

/** Task 6: what a shell shows in `$?` for how a process ended. */
export function shellStatus(exit: Exit): number {
  // TODO 6: an exit is shown as it is; and a death by signal?
  throw new Error('shellStatus is not written yet')
}
