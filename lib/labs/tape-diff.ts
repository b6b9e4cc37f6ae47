import type { Exercise, Reason, Task } from './exercise.ts'
import type { Place } from './problem.ts'

/** A call as it is printed, and where it was recorded. */
export interface Recorded {
  call: string
  at?: Place
  /** an attempt, or one of which some refusals are allowed: the child goes on after it */
  mayFail?: boolean
}

/** A line of two tapes side by side: a call of the learner's, one of the reference's, or the same of both. */
interface Row {
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
 * for are not missed. A different tape may be right: the checks decide, not this.
 */
export function diffTapes(
  yours: readonly Recorded[],
  reference: readonly string[],
  exercise: Pick<Exercise, 'reasons' | 'tasks'>,
  task: Pick<Task, 'id' | 'record'>,
): TapeDiff {
  const order = exercise.tasks.map(({ id }) => id)
  // a task with a tape of its own has no later ones
  const reasons = task.record ? exercise.reasons.filter(reason => reason.task === task.id) : exercise.reasons
  const later = (call: string) => {
    const reason = reasonFor(call, reasons)
    return reason !== undefined && order.indexOf(reason.task) > order.indexOf(task.id)
  }
  const made = new Set(yours.map(({ call }) => call))
  const wanted = reference.filter(call => made.has(call) || !later(call))
  const rows = align(yours, wanted)
  // where nothing is written yet, the first line would be given away
  const first = yours.length === 0 ? undefined : (neverMade(yours) ?? explainFirst(rows, reasons, task.id))
  return { rows, ...(first && { first }) }
}

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

const short = (call: string) => `\`${call.length > 60 ? `${call.slice(0, 59)}…` : call}\``
/** A call, shortened so that one sees where it differs from another. */
function fromDifference(call: string, other: string): string {
  let at = 0
  while (at < call.length && call[at] === other[at]) at++
  return short(at > 45 ? `${nameOf(call)}(… ${call.slice(call.lastIndexOf(',', at - 2) + 2)}` : call)
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

/** The first difference in the calls that the task asks for; where there is none, the first of all. */
function explainFirst(rows: readonly Row[], reasons: readonly Reason[], task: string): string | undefined {
  const first = (differs: (row: Row) => boolean) => {
    const isOfTask = ({ yours, reference = yours?.call ?? '' }: Row) =>
      reasonFor(reference, reasons)?.task === task
    const own = rows.findIndex(row => differs(row) && isOfTask(row))
    return own === -1 ? rows.findIndex(differs) : own
  }
  const missing = first(({ yours }) => !yours)
  const more = first(({ reference }) => reference === undefined)
  if (missing === -1 && more === -1) return undefined
  // what is only different in its arguments is said together
  const [lack, extra] = [rows[missing]?.reference, rows[more]?.yours]
  if (lack !== undefined && extra && Math.abs(missing - more) === 1 && nameOf(lack) === nameOf(extra.call))
    return `You call ${fromDifference(extra.call, lack)}${where(extra)}, the reference ${fromDifference(lack, extra.call)}.${why(lack, reasons)}`
  if (lack !== undefined && (more === -1 || missing < more || elsewhere(lack, rows))) {
    const mine = elsewhere(lack, rows)
    if (!mine) return `The reference also calls ${short(lack)}${after(rows, missing)}.${why(lack, reasons)}`
    const earlier = rows.indexOf(mine) < missing
    return `You call ${short(lack)}${where(mine.yours!)} ${earlier ? 'earlier' : 'later'} than the reference, which does it${after(rows, missing)}; another order may be right as well.${why(lack, reasons)}`
  }
  return extra && `You call ${short(extra.call)}${where(extra)}, the reference does not.`
}

const nameOf = (call: string) => call.slice(0, call.indexOf('('))

/** The same call, where only the learner makes it. */
const elsewhere = (call: string, rows: readonly Row[]) =>
  rows.find(({ yours, reference }) => reference === undefined && yours?.call === call)

function after(rows: readonly Row[], at: number): string {
  const before = rows.slice(0, at).findLast(({ reference }) => reference !== undefined)?.reference
  return before === undefined ? ' first of all' : ` after ${short(before)}`
}

function why(call: string, reasons: readonly Reason[]): string {
  const reason = reasonFor(call, reasons)
  return reason ? ` ${reason.why}` : ''
}
