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
    .description('draw the current state of a container: processes, namespaces, mounts, limits, network')
    .argument(
      '[container]',
      'name, id, the beginning of an id, or the pid of any process; default: the running container',
    )
    .option('--svg <file>', 'write the drawing as SVG; - is stdout')
    .addOption(new Option('--json', 'print what was read as one JSON document').conflicts('svg'))
    .option('--plain', 'no colour; the same width in every window')
    .action(async (word: string | undefined, flags: LookFlags) =>
      (await import('./run-look.ts')).look(word, flags),
    )
}
