import type { MinilabCommand } from '../program.ts'
import { MinilabError } from '../../common/errors.ts'
import { steps } from '../steps.ts'

export interface EscapeFlags {
  json?: boolean
  plain?: boolean
  rootless?: boolean
}

/** `minilab escape`: the same attacks on the container of each chapter. */
export function escapeCommand(program: MinilabCommand): void {
  program
    .command('escape')
    .description("try to break out of each chapter's container, or of one: see which part stops what")
    .argument('[chapter]', `1 to ${steps.length}`)
    .option('--json', 'print one JSON document')
    .option('--plain', 'no colour; the same width in every window')
    .option('--rootless', 'use a user namespace, even as root')
    .action(async (word: string | undefined, flags: EscapeFlags) => {
      const numbers = which(word)
      const { escape } = await import('./run-escape.ts')
      return escape(numbers, flags)
    })
}

function which(word: string | undefined): number[] {
  const all = steps.map((_, i) => i + 1)
  if (word === undefined) return all
  const number = steps.findIndex(({ name }, i) => word === name || word === String(i + 1)) + 1
  if (number > 0) return [number]
  throw new MinilabError(
    'usage',
    `there is no chapter "${word}"`,
    `name one of 1 to ${steps.length}, or leave it out for all`,
  )
}
