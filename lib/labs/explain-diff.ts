import { callOf, type Recorded, type Row } from './align-tapes.ts'
import type { Reason } from './exercise.ts'
import type { Problem } from './problem.ts'
import { reasonFor } from './reasons.ts'

const SHORT = 60
/** At most this many characters are shown before a difference. */
const BEFORE = 40
const short = (call: string) => `\`${call.length > SHORT ? `${call.slice(0, SHORT - 1)}…` : call}\``

/**
 * A call, shortened so that its difference from another is visible: from the differing argument on, or from inside it if it is
 * long.
 */
function fromDifference(call: string, other: string): string {
  const at = inCommon(i => call[i] === other[i], call.length)
  if (call.length <= SHORT || at <= BEFORE) return short(call)
  const argument = call.lastIndexOf(', ', at - 2) + 2
  const from = at - argument <= BEFORE ? argument : at - BEFORE / 2
  return short(`${nameOf(call)}(… ${call.slice(from)}`)
}
const where = ({ at }: Recorded) => (at ? ` (line ${at.line})` : '')

/**
 * A message about the first call that the child never makes, because it stands after an execve(2): that does not return if it
 * succeeds, and ends the child if it is refused.
 */
export function neverMade(yours: readonly Recorded[]): string | undefined {
  const last = yours.findLastIndex(({ call, mayFail }) => nameOf(call) === 'execve' && !mayFail)
  const lost = last === -1 ? undefined : yours[last + 1]
  return (
    lost &&
    `${short(lost.call)}${where(lost)} stands after \`execve\`, which does not return: the child never makes that call.`
  )
}

/** What the explanation of a call needs. */
interface Asked {
  reasons: readonly Reason[]
  task: string
  /** whether a later task asks for this call */
  later(call: string): boolean
  harmless: RegExp | undefined
  problem: Problem | undefined
}

/** What only one tape has, or what stands elsewhere in the other. */
type Difference =
  | { row: Row; lack?: undefined; extra: Recorded; moved?: undefined }
  /** `moved`: the same call, in another place */
  | { row: Row; lack: string; extra?: Recorded; moved?: true }

/**
 * Explains one difference. If a call was refused: what differs in that call, or what the task asks for before it and is
 * missing. Otherwise the first difference in the calls that the task asks for, or else the first of all.
 */
export function explainFirst(
  rows: readonly Row[],
  { reasons, task, later, harmless, problem }: Asked,
): string | undefined {
  // the reference's calls for later tasks were left out, so the learner's cannot be compared with them
  const found = differences(rows).filter(
    ({ lack, extra }) => lack !== undefined || !(later(extra.call) || harmless?.test(extra.call)),
  )
  const isOfTask = ({ lack, extra }: Difference) =>
    reasonFor(lack ?? extra?.call ?? '', reasons)?.task === task
  const isRefused = ({ yours }: Row) =>
    yours?.at !== undefined &&
    yours.at.line === problem?.at?.line &&
    problem.what.startsWith(`${nameOf(yours.call)}(`)
  const ofThatLine = rows.filter(isRefused)
  const refusedRow = ofThatLine.find(row => problem?.what.startsWith(callOf(row))) ?? ofThatLine[0]
  if (refusedRow) {
    const isBefore = ({ row, extra }: Difference) => !extra && rows.indexOf(row) < rows.indexOf(refusedRow)
    const cause =
      found.find(({ extra }) => extra && extra === refusedRow.yours) ??
      found.find(difference => isBefore(difference) && isOfTask(difference))
    return cause && explain(cause, rows, reasons)
  }
  // an additional call does less harm than a missing or a different one
  const weight = ({ lack, moved }: Difference) => (moved ? 2 : lack === undefined ? 1 : 0)
  const byWeight = found.toSorted((a, b) => weight(a) - weight(b))
  const first = byWeight.find(isOfTask) ?? byWeight[0]
  return first && explain(first, rows, reasons)
}

/** All differences in order, except harmless ones: the same call once more, or another order among calls of the same name. */
function differences(rows: readonly Row[]): Difference[] {
  return rows.flatMap((row): Difference[] => {
    const { yours, reference } = row
    if (yours && reference !== undefined) return []
    if (yours) {
      const isMore = rows.some(other => other.reference === yours.call)
      return isMore || counterpart(row, rows) ? [] : [{ row, extra: yours }]
    }
    const elsewhere = rows.find(other => other.reference === undefined && other.yours?.call === reference)
    if (elsewhere?.yours)
      return passesOthers(row, elsewhere, rows)
        ? [{ row, lack: reference, extra: elsewhere.yours, moved: true }]
        : []
    const extra = counterpart(row, rows)?.yours
    return [{ row, lack: reference, ...(extra && { extra }) }]
  })
}

/** Whether calls of another name stand between two rows. */
function passesOthers(one: Row, other: Row, rows: readonly Row[]): boolean {
  const places = [rows.indexOf(one), rows.indexOf(other)]
  const names = rows.slice(Math.min(...places), Math.max(...places) + 1).map(row => nameOf(callOf(row)))
  return new Set(names).size > 1
}

const isCommon = ({ yours, reference }: Row) => yours !== undefined && reference !== undefined

/**
 * The call on the other tape that differs from this one only in its arguments: between the same two common calls, each must be
 * the most similar call of that name for the other.
 */
function counterpart(row: Row, rows: readonly Row[]): Row | undefined {
  const at = rows.indexOf(row)
  const from = rows.slice(0, at).findLastIndex(isCommon) + 1
  const next = rows.findIndex((other, i) => i > at && isCommon(other))
  const around = rows.slice(from, next === -1 ? undefined : next)
  const likest = (one: Row) =>
    around
      .filter(
        other =>
          (other.yours === undefined) !== (one.yours === undefined) &&
          nameOf(callOf(other)) === nameOf(callOf(one)),
      )
      .toSorted((a, b) => likeness(callOf(b), callOf(one)) - likeness(callOf(a), callOf(one)))[0]
  const other = likest(row)
  return other && likest(other) === row ? other : undefined
}

/** How many characters two calls have in common, at the beginning and at the end. */
const likeness = (a: string, b: string) =>
  inCommon(i => a.at(i) === b.at(i), a.length) + inCommon(i => a.at(-1 - i) === b.at(-1 - i), a.length)

function inCommon(isSame: (at: number) => boolean, most: number): number {
  let at = 0
  while (at < most && isSame(at)) at++
  return at
}

function explain(
  { row, lack, extra, moved }: Difference,
  rows: readonly Row[],
  reasons: readonly Reason[],
): string {
  if (lack === undefined)
    return `You call ${short(extra.call)}${where(extra)}, the reference does not; one call more may be right as well.`
  if (!extra) return `The reference also calls ${short(lack)}${after(rows, row)}.${why(lack, reasons)}`
  if (!moved)
    return `You call ${fromDifference(extra.call, lack)}${where(extra)}, the reference ${fromDifference(lack, extra.call)}.${why(lack, reasons)}`
  const earlier = rows.findIndex(({ yours }) => yours === extra) < rows.indexOf(row)
  return `You call ${short(lack)}${where(extra)} ${earlier ? 'earlier' : 'later'} than the reference, which does it${after(rows, row)}; another order may be right as well.${why(lack, reasons)}`
}

const nameOf = (call: string) => call.slice(0, call.indexOf('('))

function after(rows: readonly Row[], row: Row): string {
  const before = rows
    .slice(0, rows.indexOf(row))
    .findLast(({ reference }) => reference !== undefined)?.reference
  return before === undefined ? ' first of all' : ` after ${short(before)}`
}

function why(call: string, reasons: readonly Reason[]): string {
  const reason = reasonFor(call, reasons)
  return reason ? ` ${reason.why}` : ''
}
