import type { MinilabCommand } from '../program.ts'

/** `minilab doctor`: what this machine can show. */
export function doctorCommand(program: MinilabCommand): void {
  program
    .command('doctor')
    .description('see which steps this machine can run, and what the others need')
    .option('--json', 'print one JSON document')
    .option('--plain', 'no colour; the same width in every window')
    .action(async (flags: { json?: boolean; plain?: boolean }) =>
      (await import('./print-diagnosis.ts')).printDiagnosis(flags),
    )
}
