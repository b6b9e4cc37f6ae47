import { align, type Recorded, type Row } from './align-tapes.ts'
import type { Exercise, Task } from './exercise.ts'
import { explainFirst, neverMade } from './explain-diff.ts'
import type { Problem } from './problem.ts'
import { reasonFor, reasonsFor } from './reasons.ts'

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
