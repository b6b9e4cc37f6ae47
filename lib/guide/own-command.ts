import { ourselves } from '../common/ourselves.ts'
import { runProgram } from '../common/run-program.ts'

/** How a command of ours answered: its exit status, and its stdout. On stderr may also be what Node has to say (NODE_DEBUG, --inspect). */
export interface Answer {
  status: number | null
  output: string
}

/** Runs `minilab ARGS` as its own process, and shows both line by line, where it is told how. */
export async function ownCommand(
  show: ((line: string) => void) | undefined,
  args: string[],
): Promise<Answer> {
  const { status, stdout, both } = await runProgram(ourselves(args))
  show?.(`      $ minilab ${args.map(quote).join(' ')}`)
  for (const line of both.split('\n').filter(Boolean)) show?.(`        ${line}`)
  if (status !== 0) show?.(`        (exit status ${status})`)
  return { status, output: stdout.trimEnd() }
}

const quote = (word: string) => (/^[\w./:=-]+$/.test(word) ? word : `'${word}'`)
