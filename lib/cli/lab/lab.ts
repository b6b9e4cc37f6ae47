import type { MinilabCommand } from '../program.ts'

export interface CheckFlags {
  json?: boolean
  plain?: boolean
  rootless?: boolean
}

export interface SolutionFlags {
  giveUp?: boolean
}

const WHICH = '1 to 7, or its name; else the one that you are at'
const ROOTLESS = ['--rootless', 'in a user namespace, also as root'] as const
const PLAIN = ['--plain', 'no colour, no dependence on the window'] as const

/** The commands for learners who write the parts themselves; each is loaded only when it is used. */
export function labCommands(program: MinilabCommand): void {
  program
    .command('lab')
    .description('what to write: the tasks of a lab, and where you are')
    .argument('[lab]', WHICH)
    .option(...PLAIN)
    .action(async (word: string | undefined, flags: { plain?: boolean }) =>
      (await import('./run-lab.ts')).showLab(word, flags.plain ?? false),
    )
  program
    .command('check')
    .description('try out what you wrote, and see what the kernel says of it')
    .argument('[lab]', WHICH)
    .option('--json', 'print one JSON document')
    .option(...PLAIN)
    .option(...ROOTLESS)
    .action(async (word: string | undefined, flags: CheckFlags) =>
      (await import('./run-check.ts')).check(word, flags),
    )
  program
    .command('watch')
    .description('check again each time that you save')
    .argument('[lab]', WHICH)
    .option(...ROOTLESS)
    .action(async (word: string | undefined, flags: CheckFlags) =>
      (await import('./run-watch.ts')).watch(word, flags),
    )
  program
    .command('hint')
    .description('the next of three hints for the task that you are at')
    .argument('[lab]', WHICH)
    .action(async (word: string | undefined) => (await import('./run-lab.ts')).showHint(word))
  program
    .command('diff')
    .description('your system calls beside those of the reference')
    .argument('[lab]', WHICH)
    .option(...PLAIN)
    .option(...ROOTLESS)
    .action(async (word: string | undefined, flags: CheckFlags) =>
      (await import('./run-diff.ts')).diff(word, flags),
    )
  program
    .command('solution')
    .description('our way to write it, once you have passed the lab')
    .argument('[lab]', WHICH)
    .option('--give-up', 'show it before that; it is noted')
    .action(async (word: string | undefined, flags: SolutionFlags) =>
      (await import('./run-lab.ts')).showSolution(word, flags),
    )
}
