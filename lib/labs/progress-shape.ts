import { count, mapOf, object, type Of, oneOf, optional, text } from '../common/shape.ts'

const task = object({
  /** when it was first checked, and last; ISO 8601 */
  first: text,
  last: text,
  /** how often its check failed before it first passed */
  attempts: count,
  /** the hints that were read: 0 to 3 */
  hints: count,
  /** the hints that were read since the start file was put back; absent where it has passed since, or was never put back */
  again: optional(count),
  /** a digest of the lab's file as it was when this task was begun: as long as it is that, nothing is written for it */
  from: optional(text),
  /** when it first passed */
  passed: optional(text),
  /** when the solution was read before that */
  gaveUp: optional(text),
  /** why it failed the last time; absent when it passed */
  failing: optional(object({ check: text, diagnosis: text })),
})

/** Whether a document is progress. What is not named here may be there too, and stays. */
export const isProgress = object({
  /** the version of this shape */
  minilab: oneOf(1),
  /** what is known of each task, by `3-root/pivot`; what a later version of the labs has no more stays here */
  tasks: mapOf(task),
  /** what was predicted in `minilab step` and in the quiz, the latest answer to each question */
  predictions: mapOf(
    // `said` and `answer`: what was said, and what the kernel said
    object({ step: count, said: text, answer: text, at: text }),
  ),
  /** for labs of which no check failed the last time, by `3-root` or `3-root rootless`: a digest of the file as it was then */
  proven: optional(mapOf(text)),
  /** when a lab's tasks were last shown by `minilab lab`, by `3-root`; ISO 8601 */
  opened: optional(mapOf(text)),
})

/** `progress.json`, the one file in a workspace that minilab keeps for itself; everything in it may be read by others. */
export type Progress = Of<typeof isProgress>
export type TaskProgress = Of<typeof task>
