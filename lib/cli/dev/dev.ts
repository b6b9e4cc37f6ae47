import type { MinilabCommand } from '../program.ts'

export interface DevFlags {
  json?: boolean
  rootless?: boolean
  only: string
  quick?: boolean
}

/** `minilab dev`: for the labs' authors. */
export function devCommand(program: MinilabCommand): void {
  const dev = program.command('dev').description('for authors of labs')
  dev
    .command('check')
    .description('prove of each task that right answers pass, and wrong ones fail by name')
    .argument('[lab]', '1 to 7, or its name; else all')
    .option('--json', 'print one JSON document a lab')
    .option('--rootless', 'in a user namespace, also as root')
    .option('--quick', 'of the right and wrong answers only the first for each task')
    .option('--only <text>', 'the answers that have this in their name', '')
    .action(async (word: string | undefined, flags: DevFlags) =>
      (await import('./run-dev.ts')).devCheck(word, flags),
    )
}
