import type { MinilabCommand } from '../program.ts'

export interface TourFlags {
  json?: boolean
  plain?: boolean
}

/** `minilab tour`: the fast track through the course. */
export function tourCommand(program: MinilabCommand): void {
  program
    .command('tour')
    .description('the seven steps in half an hour: what you see in each, and which labs matter most')
    .option('--json', 'print one JSON document')
    .option('--plain', 'no colour; the same width in every window')
    .action(async (flags: TourFlags) => (await import('./run-tour.ts')).tour(flags))
}
