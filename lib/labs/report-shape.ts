import { count, flag, listOf, object, type Of, oneOf, optional, text, where } from '../common/shape.ts'

const time = where(text, value => !Number.isNaN(Date.parse(value)))

const state = oneOf('passed', 'gave up', 'failing', 'tried', 'untouched')

const task = object({
  id: text,
  title: text,
  state,
  /** how often its check failed before it first passed */
  attempts: count,
  /** the hints that were read: 0 to 3 */
  hints: count,
  /** when it was first and last checked */
  first: optional(time),
  last: optional(time),
  /** when it first passed */
  passed: optional(time),
  /** when the solution was read before that */
  gaveUp: optional(time),
  /** why it failed the last time; of a task that once passed too, where it fails by now */
  failing: optional(object({ check: text, diagnosis: text })),
})

const exercise = object({
  /** of the chapter */
  number: count,
  name: text,
  title: text,
  tasks: listOf(task),
})

const prediction = object({
  step: count,
  question: text,
  /** what was said, and what the kernel said */
  said: text,
  answer: text,
  right: flag,
  at: time,
})

/** A file that a learner wrote. */
const writtenFile = object({
  /** in the workspace: `3-root.ts` */
  name: text,
  text,
})

/** Whether a value is a report: a learner's file may be damaged, or written by hand. */
export const isReport = object({
  /** what this file is, and the version of its shape */
  kind: oneOf('minilab report'),
  version: oneOf(1),
  /** who hands it in, and where the name is from (learner.ts): it proves nothing */
  learner: object({ name: text, from: text }),
  made: time,
  machine: object({
    kernel: text,
    arch: text,
    cgroup: text,
    /** how minilab works here: `root`, or `rootless` in a user namespace */
    mode: text,
    /** the version of minilab */
    minilab: text,
  }),
  exercises: listOf(exercise),
  /** what the learner wrote; reports of older versions have none */
  files: optional(listOf(writtenFile)),
  predictions: listOf(prediction),
})

/** The document that `minilab report --json` prints: what a learner hands in. All times are ISO 8601. */
export type LabReport = Of<typeof isReport>
export type ReportedExercise = Of<typeof exercise>
export type ReportedTask = Of<typeof task>
/**
 * - `passed` once, by the learner's own means
 * - `gave up`: the solution was read first, whether it passes by now or not
 * - `failing`: checked, and its check failed the last time
 * - `tried`: something was done about it (a hint was read), and no check failed
 * - `untouched`
 */
export type TaskState = Of<typeof state>
export type WrittenFile = Of<typeof writtenFile>
