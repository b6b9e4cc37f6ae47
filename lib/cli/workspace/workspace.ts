import type { MinilabCommand } from '../program.ts'

/** `minilab init`, `progress` and `reset`: the learner's folder, and how far they are. */
export function workspaceCommands(program: MinilabCommand): void {
  program
    .command('init')
    .description('make a workspace: a folder for what you write in the labs')
    .argument('[dir]', 'a new or an empty folder; default: mine/')
    .action(async (dir: string | undefined) => {
      const { init } = await import('./manage-workspace.ts')
      init(dir)
    })
  program
    .command('progress')
    .description('see which tasks of the labs you have passed, and what is next')
    .option('--json', 'print one JSON document')
    .option('--plain', 'no colour; the same width in every window')
    .action(async (flags: { json?: boolean; plain?: boolean }) => {
      const { showProgress } = await import('./manage-workspace.ts')
      await showProgress(flags)
    })
  program
    .command('reset')
    .description("put back a lab's start file, or all; what you wrote is kept beside it")
    .argument('<lab>', 'its number or name, or all')
    .option('-y, --yes', 'do not ask before resetting all')
    .action(async (word: string, flags: { yes?: boolean }) => {
      const { reset } = await import('./manage-workspace.ts')
      await reset(word, flags)
    })
}
