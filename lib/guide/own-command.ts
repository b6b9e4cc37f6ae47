import { ourselves } from '../common/ourselves.ts'
import { runProgram } from '../common/run-program.ts'

/**
 * How a minilab command ended: its exit status and its stdout. Not its stderr, where Node may print things too (NODE_DEBUG,
 * --inspect).
 */
export interface Answer {
  status: number | null
  output: string
}

/** Runs `minilab ARGS` as its own process; if `show` is given, shows the command and its output line by line. */
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
