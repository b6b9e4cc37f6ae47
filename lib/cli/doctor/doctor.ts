import type { Command } from 'commander'

/** `minilab doctor`: what this machine can show. */
export function doctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('see which steps this machine can run, and what would help where it cannot')
    .option('--json', 'print one JSON document')
    .option('--plain', 'no colour, no dependence on the window')
    .action(async (flags: { json?: boolean; plain?: boolean }) => {
      const { printDiagnosis } = await import('./print-diagnosis.ts')
      await printDiagnosis(flags)
    })
}
