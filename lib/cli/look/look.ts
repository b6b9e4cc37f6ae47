import { Option } from 'commander'
import type { MinilabCommand } from '../program.ts'

export interface LookFlags {
  svg?: string
  json?: boolean
  plain?: boolean
}

/** `minilab look`: a container as it is now. */
export function lookCommand(program: MinilabCommand): void {
  program
    .command('look')
    .description('draw a container as the kernel has it now: processes, namespaces, mounts, limits, network')
    .argument(
      '[container]',
      'name, id, the beginning of an id, or the pid of any process; none: the one that runs',
    )
    .option('--svg <file>', 'write the drawing as SVG; - is stdout')
    .addOption(new Option('--json', 'print what was read as one JSON document').conflicts('svg'))
    .option('--plain', 'no colour, no dependence on the window')
    .action(async (word: string | undefined, flags: LookFlags) =>
      (await import('./run-look.ts')).look(word, flags),
    )
}
