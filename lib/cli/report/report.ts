import type { MinilabCommand } from '../program.ts'

/** `minilab report`: the file that a learner hands in. */
export function reportCommand(program: MinilabCommand): void {
  program
    .command('report')
    .description('show what you have done in the labs; with --json as a file to hand in, with your code')
    .option('--json', 'print one JSON document: minilab report --json > ada.json')
    .option('--name <name>', 'your name in the report')
    .option('--plain', 'no colour; the same width in every window')
    .action(async (flags: { json?: boolean; name?: string; plain?: boolean }) => {
      const { printReport } = await import('./print-report.ts')
      await printReport(flags, program.version() ?? '')
    })
}
