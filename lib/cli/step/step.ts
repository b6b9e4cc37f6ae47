import { asTyped } from '../../guide/as-typed.ts'
import type { MinilabCommand } from '../program.ts'
import { MinilabError } from '../../common/errors.ts'
import { hint } from '../../common/suggest.ts'
import { quote } from '../../kernel/syscalls/argument-kinds.ts'
import { steps } from '../steps.ts'

export interface StepFlags {
  yes?: boolean
  json?: boolean
  plain?: boolean
  dryRun?: boolean
  spec?: boolean
  rootless?: boolean
  keep?: boolean
  pace?: number
  runtime: string
  oci?: boolean
  without?: string[]
  mutant?: string
  listMutants?: boolean
  trace?: string
  waterfall?: boolean
}

/** Whether there is a user who can be asked for predictions. */
export function mayAsk({ yes, json, trace }: StepFlags): boolean {
  return !yes && !json && trace !== '-' && process.stdin.isTTY && process.stdout.isTTY
}

/** `minilab step N`: the commands of the seven chapters. */
export function stepCommand(program: MinilabCommand): void {
  program
    .command('step')
    .description('run a step: 1 to 7, its name, or all')
    .argument('[step]', steps.map(({ name }, i) => `${i + 1} ${name}`).join(', ') + ', all')
    .argument('[command...]', "after --: a command to run in a container like the step's own")
    .option('-y, --yes', 'do not ask for predictions')
    .option('--json', 'print one JSON document for each step')
    .option('--plain', 'no colour; the same width in every window')
    .option('--dry-run', 'print the system calls and make none')
    .option('--spec', 'print the container as an OCI config.json')
    .option('--rootless', 'use a user namespace, even as root')
    .option('--keep', 'keep the container until you press Enter')
    .option('--pace <seconds>', 'wait this long at the end of each stage, for an audience', paceOf)
    .option('--oci', 'with step 7: by the commands of minilab-oci, as engines run them')
    .option('--without <name>', 'build it without a part, a namespace or a system call', collect)
    .option('--mutant <name>', 'build a known-wrong variant, and see which checks fail')
    .option('--waterfall', 'draw where the time of the start went, at the end')
    .option('--trace <file>', 'write a trace for ui.perfetto.dev; - is stdout')
    .option('--list-mutants', 'list the known-wrong variants of this step')
    .option('--runtime <name>', "the OCI runtime that makes the step's container: runc, or a path", 'minilab')
    .action(async (word: string | undefined, command: string[], flags: StepFlags) => {
      if (word === undefined) return list()
      const numbers = whichSteps(word)
      if (command.length > 0 && !process.argv.includes('--'))
        throw new MinilabError(
          'usage',
          `unexpected argument "${command[0]}"`,
          `put a command after --: minilab step ${word} -- ${command.join(' ')}`,
        )
      if (flags.listMutants) return (await import('../dev/mutants.ts')).listMutants(numbers, flags)
      const { runSteps } = await import('./run-steps.ts')
      return runSteps(numbers, command, flags)
    })
}

/** Seconds: less is no pause, and more is longer than an audience waits. */
const PACE = { least: 0.5, most: 300 }

function paceOf(text: string): number {
  const seconds = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Number(text) : NaN
  if (seconds >= PACE.least && seconds <= PACE.most) return seconds
  throw new MinilabError(
    'usage',
    `--pace ${quote(text)} is no such time`,
    `give a number of seconds from ${PACE.least} to ${PACE.most}, such as 10`,
  )
}

const collect = (value: string, earlier: string[] = []) => [...earlier, value]

/** The numbers that a word means: `3`, `root`, `all`. Throws a usage error with the nearest name. */
export function whichSteps(word: string): number[] {
  if (word === 'all') return steps.map((_, i) => i + 1)
  const number = /^[1-9]\d*$/.test(word) ? Number(word) : steps.findIndex(({ name }) => name === word) + 1
  if (number >= 1 && number <= steps.length) return [number]
  const names = [...steps.map(({ name }) => name), 'all']
  throw new MinilabError(
    'usage',
    `there is no step "${word}"`,
    hint(word, names, `the steps are ${steps.map(({ name }, i) => `${i + 1} ${name}`).join(', ')}, or all`),
  )
}

/** `minilab step` alone: lists the steps. */
async function list(): Promise<void> {
  for (const { load } of steps) {
    const { number, name, title } = await load()
    console.log(asTyped(`minilab step ${number}   ${name.padEnd(12)} ${title}`))
  }
}
