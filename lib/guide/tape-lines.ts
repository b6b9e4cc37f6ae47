import type { Replayed } from '../kernel/tape.ts'
import type { ChalkInstance } from 'chalk'
import { fit, micro } from './text.ts'

/** A line of a printed tape: one call, or several of no interest now in one sentence. */
export type TapeLine = Replayed | { summary: string }

/**
 * What to print of a tape: the calls of the parts that a step teaches, each; those of other parts summed up; runs of the
 * same call with the same outcome (27 times PR_CAPBSET_DROP) shortened. `teaches` undefined: everything.
 */
export function lines(replayed: readonly Replayed[], teaches: readonly string[] | undefined): TapeLine[] {
  return groups(replayed, teaches).flatMap((group): TapeLine[] => {
    const [first] = group
    if (!first) return []
    const time = micro(group.reduce((sum, { ns }) => sum + ns, 0))
    if (teaches && !teaches.includes(first.part))
      return [{ summary: `… ${first.part}: ${group.length} calls, ${time}` }]
    if (group.length > 3) {
      const between = group.slice(1, -1)
      const more = { summary: `… ${between.length} more ${first.call} calls, ${time} in all` }
      return [first, more, ...group.slice(-1)]
    }
    return group
  })
}

/** Neighbours that are told together: a part that is not taught, or the same call with like arguments and the same outcome. */
function groups(replayed: readonly Replayed[], teaches: readonly string[] | undefined): Replayed[][] {
  const key = (op: Replayed) =>
    teaches && !teaches.includes(op.part)
      ? op.part
      : `${op.part} ${op.call} ${op.errno} ${/^[A-Z]+_[A-Z_]+/.exec(op.args)?.[0] ?? op.args}`
  const found: Replayed[][] = []
  for (const op of replayed) {
    const group = found.at(-1)
    if (group?.[0] && key(group[0]) === key(op)) group.push(op)
    else found.push([op])
  }
  return found
}

/** Below so many columns a call leaves no room for its time. */
const NARROW = 56

/** A call in `room` columns, with its result, and where there is room its time. */
export function callText(
  { call, args, result, errno, ns }: Replayed,
  room: number,
  ink: ChalkInstance,
): string {
  const outcome = errno ? `= -1 ${errno}` : `= ${result ?? 0}`
  const coloured = (errno ? ink.red : ink.green)(outcome)
  if (room < NARROW)
    return `${ink.cyan(call)}(${fit(args, room - 3 - call.length - outcome.length)}) ${coloured}`
  const shown = fit(args, room - 26 - call.length)
  const pad = ' '.repeat(Math.max(1, room - 22 - call.length - shown.length))
  const time = micro(ns).padStart(Math.max(9, 19 - outcome.length))
  return `${ink.cyan(call)}(${shown})${pad}${coloured}${ink.dim(time)}`
}
