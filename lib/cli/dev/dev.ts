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
    .description('check for each task that right answers pass, and that wrong ones fail the right check')
    .argument('[lab]', '1 to 7, or its name; default: all')
    .option('--json', 'print one JSON document for each lab')
    .option('--rootless', 'use a user namespace, even as root')
    .option('--quick', 'only the first right and the first wrong answer of each task')
    .option('--only <text>', 'only answers whose name contains this text', '')
    .action(async (word: string | undefined, flags: DevFlags) =>
      (await import('./run-dev.ts')).devCheck(word, flags),
    )
}
