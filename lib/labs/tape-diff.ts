import { align, type Recorded, type Row } from './align-tapes.ts'
import type { Exercise, Task } from './exercise.ts'
import { explainFirst, neverMade } from './explain-diff.ts'
import type { Problem } from './problem.ts'
import { reasonFor, reasonsFor } from './reasons.ts'

export interface TapeDiff {
  rows: Row[]
  /** the explained first difference; absent if the tapes are equal */
  first?: string
}

/**
 * The learner's tape beside the reference's, aligned at common calls, without the reference's calls for later tasks. A
 * different tape may be right: the checks decide. If the kernel refused a call (`problem`), only that call is explained.
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
  // while nothing is written, an explanation would give the first line away
  const first =
    yours.length === 0
      ? undefined
      : (neverMade(yours) ??
        explainFirst(rows, { reasons, task: task.id, later, harmless: exercise.harmless, problem }))
  return { rows, ...(first && { first }) }
}
