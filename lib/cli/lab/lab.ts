import type { MinilabCommand } from '../program.ts'

export interface CheckFlags {
  json?: boolean
  plain?: boolean
  rootless?: boolean
}

export interface SolutionFlags {
  giveUp?: boolean
}

const WHICH = '1 to 7, or its name; default: your current lab'
const ROOTLESS = ['--rootless', 'use a user namespace, even as root'] as const
const PLAIN = ['--plain', 'no colour; the same width in every window'] as const

/** The commands for learners who write the parts themselves; each is loaded only when it is used. */
export function labCommands(program: MinilabCommand): void {
  program
    .command('lab')
    .description('show what to write: the tasks of a lab, and where you are')
    .argument('[lab]', WHICH)
    .option(...PLAIN)
    .action(async (word: string | undefined, flags: { plain?: boolean }) =>
      (await import('./run-lab.ts')).showLab(word, flags.plain ?? false),
    )
  program
    .command('check')
    .description('run what you wrote, and see what the kernel says about it')
    .argument('[lab]', WHICH)
    .option('--json', 'print one JSON document')
    .option(...PLAIN)
    .option(...ROOTLESS)
    .action(async (word: string | undefined, flags: CheckFlags) =>
      (await import('./run-check.ts')).check(word, flags),
    )
  program
    .command('watch')
    .description('check again each time you save')
    .argument('[lab]', WHICH)
    .option(...ROOTLESS)
    .action(async (word: string | undefined, flags: CheckFlags) =>
      (await import('./run-watch.ts')).watch(word, flags),
    )
  program
    .command('hint')
    .description('show the next of three hints for your current task')
    .argument('[lab]', WHICH)
    .action(async (word: string | undefined) => (await import('./run-lab.ts')).showHint(word))
  program
    .command('diff')
    .description('compare your system calls with those of the reference')
    .argument('[lab]', WHICH)
    .option(...PLAIN)
    .option(...ROOTLESS)
    .action(async (word: string | undefined, flags: CheckFlags) =>
      (await import('./run-diff.ts')).diff(word, flags),
    )
  program
    .command('solution')
    .description('show our solution, once you have passed the lab')
    .argument('[lab]', WHICH)
    .option('--give-up', 'show it before you have passed; this is recorded')
    .action(async (word: string | undefined, flags: SolutionFlags) =>
      (await import('./run-lab.ts')).showSolution(word, flags),
    )
}
