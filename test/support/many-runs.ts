import { environment, identity, type Printed, type RunOptions, self, userData } from './minilab.ts'
import { Warm } from './warm.ts'

/** What one command line of many did. */
export type Answer = Printed & { args: string[] }

/** Runs `minilab ARGS` for each of some command lines, one after the other in one process, which has the descriptors `open` besides. */
export async function runMany(
  commands: string[][],
  { user = self, data = userData(user), env = {}, wrapper = [] }: RunOptions = {},
  { open = [], seconds = 50 }: { open?: number[]; seconds?: number } = {},
): Promise<Answer[]> {
  const whole = { ...environment(user, data), ...env }
  using warm = new Warm(identity(user), whole, wrapper, open)
  const answers: Answer[] = []
  for (const args of commands) answers.push({ args, ...(await warm.run(args, whole, seconds)) })
  return answers
}

/** Whether it is one line that says what is wrong and what to do, with a status that says whose fault it is. */
export function isRefusal({ status, stderr }: Pick<Printed, 'status' | 'stderr'>): boolean {
  return (
    [2, 3, 125, 126, 127].includes(status ?? 0) &&
    /^minilab: [ -~\u00a0-\uffff]+: [ -~\u00a0-\uffff]+\n$/.test(stderr)
  )
}
