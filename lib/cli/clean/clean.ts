import type { Command } from 'commander'

/** `minilab clean`: takes back what killed commands left on this machine. */
export function cleanCommand(program: Command): void {
  program
    .command('clean')
    .description('take back what killed commands left: cgroups, links, rules, files')
    .option('--json', 'print one JSON document')
    .action(async (flags: { json?: boolean }) => {
      const { printCleaned } = await import('./print-cleaned.ts')
      await printCleaned(flags.json ?? false)
    })
}
