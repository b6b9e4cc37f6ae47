import { count, mapOf, object, type Of, oneOf, optional, text } from '../common/shape.ts'

const task = object({
  /** when it was first and last checked; ISO 8601 */
  first: text,
  last: text,
  /** how often its check failed before it first passed */
  attempts: count,
  /** how many hints were read: 0 to 3 */
  hints: count,
  /** how many hints were read since the start file was restored; absent if it has passed since, or was never restored */
  again: optional(count),
  /** a digest of the lab's file when this task was begun: while the file is unchanged, nothing is written for the task */
  from: optional(text),
  /** when it first passed */
  passed: optional(text),
  /** when the solution was read before passing */
  gaveUp: optional(text),
  /** why it failed the last time; absent if it passed */
  failing: optional(object({ check: text, diagnosis: text })),
})

/** Whether a document is progress. Unknown members are allowed, and kept. */
export const isProgress = object({
  /** the version of this shape */
  minilab: oneOf(1),
  /** each task by `3-root/pivot`; tasks that the labs no longer have are kept */
  tasks: mapOf(task),
  /** predictions in `minilab step` and the quiz: the latest answer to each question */
  predictions: mapOf(
    // `said`: the learner's answer; `answer`: the kernel's
    object({ step: count, said: text, answer: text, at: text }),
  ),
  /** labs in which no check failed the last time, by `3-root` or `3-root rootless`: a digest of the file at that time */
  proven: optional(mapOf(text)),
  /** when `minilab lab` last showed a lab's tasks, by `3-root`; ISO 8601 */
  opened: optional(mapOf(text)),
})

/** `progress.json`, the one file in a workspace that minilab writes for itself. It contains nothing private. */
export type Progress = Of<typeof isProgress>
export type TaskProgress = Of<typeof task>
