import type { Op, Tape } from '../../lib/kernel/tape/tape.ts'

/**
 * What the machine code of the launchpad does with a tape (launchpad.*.S), in TypeScript: the calls in their order. `result`: what the kernel
 * answers to a call; undefined if the process has ended in it. `first`: where
 * it begins.
 */
export function interpret(
  { ops }: Tape,
  result: (op: Op, number: number) => bigint | undefined,
  first = 0,
): Op[] {
  const made: Op[] = []
  for (let op = ops[first]; op;) {
    made.push(op)
    const answer = result(op, made.length - 1)
    if (answer === undefined) return made
    const branch = op.allowed?.includes(answer)
      ? undefined
      : answer < op.min
        ? 'under'
        : answer > op.max
          ? 'over'
          : undefined
    if (branch && !op[branch]) return made
    op = ops[branch ? op[branch]!.at : ops.indexOf(op) + 1]
  }
  return made
}
