import type { ChalkInstance } from 'chalk'

import type { Replayed } from '../kernel/tape/tape.ts'
import { counted, fit, micro } from './text.ts'

/** A line of a printed tape: one call, or several in one sentence. */
export type TapeLine = Replayed | { summary: string }

export interface Choice {
  /** where a call that is not printed here is shown instead: another part, another stage */
  elsewhere?: ((call: Replayed) => string | undefined) | undefined
  /** the calls that are always printed */
  matters?: ((call: Replayed) => boolean) | undefined
}

/** For calls of parts that a step does not teach: the name of their part. */
export const otherParts =
  (teaches: readonly string[]) =>
  ({ part }: Replayed) =>
    teaches.includes(part) ? undefined : part

/**
 * The lines to print for a tape. Calls shown elsewhere are summed up. Repetitions are shortened: the same call with the same
 * outcome (27 times PR_CAPBSET_DROP), and the same two calls for one file after another.
 */
export function lines(replayed: readonly Replayed[], { elsewhere, matters }: Choice = {}): TapeLine[] {
  const toldIn = (op: Replayed) => elsewhere?.(op) ?? ''
  const alike = (op: Replayed) =>
    `${toldIn(op)} ${op.part} ${op.call} ${op.errno} ${/^[A-Z]+_[A-Z_]+/.exec(op.args)?.[0] ?? op.args}`
  // a call that matters must not be taken as a repetition
  const pair = (op: Replayed, i: number) => `${op.call} ${op.errno} ${toldIn(op) || matters?.(op) ? i : ''}`
  const found: TapeLine[] = []
  for (let at = 0, first; (first = replayed[at]);) {
    const here = toldIn(first)
    const run = here ? repeated(replayed, at, 1, toldIn) : repeated(replayed, at, 1, alike)
    const isPair = !here && run.length === 1 && replayed[at + 1]?.call !== first.call
    const pairs = isPair ? repeated(replayed, at, 2, pair) : []
    if (here) found.push({ summary: `… ${here}: ${counted(run.length, 'call')}, ${spent(run)}` })
    else if (pairs.length > 6) found.push(...shortened(pairs, 2, 'more of these calls'))
    else if (run.length > 3) found.push(...shortened(run, 1, `more ${first.call} calls`))
    else found.push(...run)
    at += Math.max(run.length, pairs.length > 6 ? pairs.length : 0)
  }
  return found
}

/** The calls from one on that repeat the first `period` of them; `key` decides which calls are the same. */
function repeated(
  replayed: readonly Replayed[],
  from: number,
  period: number,
  key: (op: Replayed, i: number) => string,
): Replayed[] {
  const keys = replayed.slice(from).map(key)
  const end = keys.findIndex((_, i) => keys[i] !== keys[i % period])
  const length = end === -1 ? keys.length : end
  return replayed.slice(from, from + length - (length % period))
}

/** The first and the last `period` calls, and one line for those in between. */
function shortened(calls: readonly Replayed[], period: number, words: string): TapeLine[] {
  const between = calls.length - 2 * period
  return [
    ...calls.slice(0, period),
    { summary: `… ${between} ${words}, ${spent(calls)} in all` },
    ...calls.slice(-period),
  ]
}

const spent = (calls: readonly Replayed[]) => micro(calls.reduce((sum, { ns }) => sum + ns, 0))

/** In fewer columns a call leaves no room for its time. */
const NARROW = 56

/** A call in `room` columns, with its result and, if there is room, its time. */
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
