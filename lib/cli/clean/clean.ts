import type { MinilabCommand } from '../program.ts'

/** `minilab clean`: removes what killed commands left on this machine. */
export function cleanCommand(program: MinilabCommand): void {
  program
    .command('clean')
    .description('remove what killed commands left behind: cgroups, links, rules, files')
    .option('--json', 'print one JSON document')
    .action(async (flags: { json?: boolean }) =>
      (await import('./print-cleaned.ts')).printCleaned(flags.json ?? false),
    )
}
