import type { Exercise, Reason, Task } from './exercise.ts'
import type { SourceLine } from '../common/errors.ts'
import type { Problem } from './problem.ts'

/** A call as it is printed, and where it was recorded. */
export interface Recorded {
  call: string
  at?: SourceLine
  /** an attempt, or one of which some refusals are allowed: the child goes on after it */
  mayFail?: boolean
}

/** A line of two tapes side by side: a call of the learner's, one of the reference's, or the same of both. */
export interface Row {
  yours?: Recorded
  reference?: string
}

export interface TapeDiff {
  rows: Row[]
  /** the first difference, explained; absent where the tapes are the same */
  first?: string
}

/**
 * The learner's tape beside the reference's, aligned at the calls that they have in common; calls that only later tasks ask
 * for are not missed. A different tape may be right: the checks decide, not this. Where the kernel refused one of its calls
 * (`problem`), nothing but that call is explained.
 */
export function diffTapes(
  yours: readonly Recorded[],
  reference: readonly string[],
  exercise: Pick<Exercise, 'reasons' | 'tasks' | 'harmless'>,
  task: Pick<Task, 'id' | 'record'>,
  problem?: Problem,
): TapeDiff {
  const order = exercise.tasks.map(({ id }) => id)
  const reasons = reasonsFor(exercise, task)
  const later = (call: string) => {
    const reason = reasonFor(call, reasons)
    return reason !== undefined && order.indexOf(reason.task) > order.indexOf(task.id)
  }
  const made = new Set(yours.map(({ call }) => call))
  const wanted = reference.filter(call => made.has(call) || !later(call))
  const rows = align(yours, wanted)
  // where nothing is written yet, the first line would be given away
  const first =
    yours.length === 0
      ? undefined
      : (neverMade(yours) ??
        explainFirst(rows, { reasons, task: task.id, later, harmless: exercise.harmless, problem }))
  return { rows, ...(first && { first }) }
}

/** The reasons of the calls on a task's tape. A task with a tape of its own has no earlier or later ones. */
export const reasonsFor = ({ reasons }: Pick<Exercise, 'reasons'>, task: Pick<Task, 'id' | 'record'>) =>
  task.record ? reasons.filter(reason => reason.task === task.id) : reasons

/** The reason of the call that these words begin with. */
export const reasonFor = (call: string, reasons: readonly Reason[]) =>
  reasons.find(reason => call.startsWith(reason.call))

/** A longest common subsequence in the middle, what each has besides around it. */
function align(yours: readonly Recorded[], reference: readonly string[]): Row[] {
  // best[i][j]: how many calls the rests from i and from j have in common
  const best = Array.from({ length: yours.length + 1 }, () => new Array<number>(reference.length + 1).fill(0))
  for (let i = yours.length - 1; i >= 0; i--)
    for (let j = reference.length - 1; j >= 0; j--)
      best[i]![j] =
        yours[i]!.call === reference[j]
          ? best[i + 1]![j + 1]! + 1
          : Math.max(best[i + 1]![j]!, best[i]![j + 1]!)
  const rows: Row[] = []
  let [i, j] = [0, 0]
  while (i < yours.length || j < reference.length) {
    const [mine, theirs] = [yours[i], reference[j]]
    if (mine && mine.call === theirs) {
      rows.push({ yours: mine, reference: theirs })
      i++
      j++
    } else if (mine && (theirs === undefined || best[i + 1]![j]! >= best[i]![j + 1]!)) {
      rows.push({ yours: mine })
      i++
    } else {
      rows.push({ reference: theirs! })
      j++
    }
  }
  return rows
}

const SHORT = 60
/** So many letters stand before a difference at most. */
const BEFORE = 40
const short = (call: string) => `\`${call.length > SHORT ? `${call.slice(0, SHORT - 1)}…` : call}\``

/** A call, shortened so that one sees where it differs from another: from the argument on, or where that is long from within it. */
function fromDifference(call: string, other: string): string {
  const at = inCommon(i => call[i] === other[i], call.length)
  if (call.length <= SHORT || at <= BEFORE) return short(call)
  const argument = call.lastIndexOf(', ', at - 2) + 2
  const from = at - argument <= BEFORE ? argument : at - BEFORE / 2
  return short(`${nameOf(call)}(… ${call.slice(from)}`)
}
const where = ({ at }: Recorded) => (at ? ` (line ${at.line})` : '')

/** A call that the child never comes to: execve(2) does not return where it succeeds, and ends the child where it is refused. */
function neverMade(yours: readonly Recorded[]): string | undefined {
  const last = yours.findLastIndex(({ call, mayFail }) => nameOf(call) === 'execve' && !mayFail)
  const lost = last === -1 ? undefined : yours[last + 1]
  return (
    lost &&
    `${short(lost.call)}${where(lost)} stands after \`execve\`, which does not return: the child never makes that call.`
  )
}

/** What is asked of the calls: why the reference makes them, by which task, and what stopped the learner's. */
interface Asked {
  reasons: readonly Reason[]
  task: string
  /** whether a later task asks for such a call */
  later(call: string): boolean
  harmless: RegExp | undefined
  problem: Problem | undefined
}

/** What one tape has and the other has not, or has elsewhere. */
interface Difference {
  row: Row
  lack?: string
  extra?: Recorded
  /** the same call, in another place */
  moved?: true
}

/**
 * Where a call was refused, what is different about that call, or what the task asks for before it and is missing. Else the first
 * difference in the calls that the task asks for, or the first of all.
 */
function explainFirst(
  rows: readonly Row[],
  { reasons, task, later, harmless, problem }: Asked,
): string | undefined {
  // what the reference has for later tasks was left out, so it cannot be compared
  const found = differences(rows).filter(
    ({ lack, extra }) => lack !== undefined || !(later(extra!.call) || harmless?.test(extra!.call)),
  )
  const isOfTask = ({ lack, extra }: Difference) =>
    reasonFor(lack ?? extra?.call ?? '', reasons)?.task === task
  const isRefused = ({ yours }: Row) =>
    yours?.at !== undefined &&
    yours.at.line === problem?.at?.line &&
    problem.what.startsWith(`${nameOf(yours.call)}(`)
  const ofThatLine = rows.filter(isRefused)
  const refused = ofThatLine.find(({ yours }) => problem?.what.startsWith(yours!.call)) ?? ofThatLine[0]
  if (refused) {
    const isBefore = ({ row, extra }: Difference) => !extra && rows.indexOf(row) < rows.indexOf(refused)
    const cause =
      found.find(({ extra }) => extra && extra === refused.yours) ??
      found.find(difference => isBefore(difference) && isOfTask(difference))
    return cause && explain(cause, rows, reasons)
  }
  // one call more does less harm than one that is missing, or another one
  const weight = ({ lack, moved }: Difference) => (moved ? 2 : lack === undefined ? 1 : 0)
  const byWeight = found.toSorted((a, b) => weight(a) - weight(b))
  const first = byWeight.find(isOfTask) ?? byWeight[0]
  return first && explain(first, rows, reasons)
}

/** The differences from the first to the last. What can do no harm is none: one call more of the same, another order of the like. */
function differences(rows: readonly Row[]): Difference[] {
  return rows.flatMap((row): Difference[] => {
    const { yours, reference } = row
    if (yours && reference !== undefined) return []
    if (reference !== undefined) {
      const mine = rows.find(other => other.reference === undefined && other.yours?.call === reference)
      if (mine)
        return passesOthers(row, mine, rows)
          ? [{ row, lack: reference, extra: mine.yours!, moved: true }]
          : []
      const extra = counterpart(row, rows)?.yours
      return [{ row, lack: reference, ...(extra && { extra }) }]
    }
    const isMore = rows.some(other => other.reference === yours!.call)
    return isMore || counterpart(row, rows) ? [] : [{ row, extra: yours! }]
  })
}

/** Whether calls of other names stand between two places. */
function passesOthers(one: Row, other: Row, rows: readonly Row[]): boolean {
  const [from, to] = [rows.indexOf(one), rows.indexOf(other)].toSorted((a, b) => a - b) as [number, number]
  const names = rows.slice(from, to + 1).map(({ yours, reference }) => nameOf(reference ?? yours!.call))
  return new Set(names).size > 1
}

const callOf = ({ yours, reference }: Row) => reference ?? yours!.call
const isCommon = ({ yours, reference }: Row) => yours !== undefined && reference !== undefined

/** Between the same two common calls, what is only different in its arguments: the likest of that name, for both of them. */
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

/** How many letters two calls have in common, at their beginning and at their end. */
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
    return `You call ${short(extra!.call)}${where(extra!)}, the reference does not; one call more may be right as well.`
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
