import { count, flag, listOf, object, type Of, oneOf, optional, text, where } from '../common/shape.ts'

const time = where(text, value => !Number.isNaN(Date.parse(value)))

const state = oneOf('passed', 'gave up', 'failing', 'tried', 'untouched')

const task = object({
  id: text,
  title: text,
  state,
  /** how often its check failed before it first passed */
  attempts: count,
  /** how many hints were read: 0 to 3 */
  hints: count,
  /** when it was first and last checked */
  first: optional(time),
  last: optional(time),
  /** when it first passed */
  passed: optional(time),
  /** when the solution was read before passing */
  gaveUp: optional(time),
  /** why it failed the last time; also for a task that passed before and fails now */
  failing: optional(object({ check: text, diagnosis: text })),
})

const exercise = object({
  /** the chapter's number */
  number: count,
  name: text,
  title: text,
  tasks: listOf(task),
})

const prediction = object({
  step: count,
  question: text,
  /** the learner's answer; `answer` is the kernel's */
  said: text,
  answer: text,
  right: flag,
  at: time,
})

/** A file of the learner's. */
const writtenFile = object({
  /** relative to the workspace: `3-root.ts` */
  name: text,
  text,
})

/** Whether a value is a report: a learner's file may be damaged, or written by hand. */
export const isReport = object({
  /** what this file is, and the version of its format */
  kind: oneOf('minilab report'),
  version: oneOf(1),
  /** who hands it in, and where the name comes from (learner.ts): it proves nothing */
  learner: object({ name: text, from: text }),
  made: time,
  machine: object({
    kernel: text,
    arch: text,
    cgroup: text,
    /** how minilab runs here: `root`, or `rootless` in a user namespace */
    mode: text,
    /** the version of minilab */
    minilab: text,
  }),
  exercises: listOf(exercise),
  /** the learner's code; absent in reports of older versions */
  files: optional(listOf(writtenFile)),
  predictions: listOf(prediction),
})

/** The output of `minilab report --json`, which a learner hands in. All times are ISO 8601. */
export type LabReport = Of<typeof isReport>
export type ReportedExercise = Of<typeof exercise>
export type ReportedTask = Of<typeof task>
/**
 * - `passed` at some time, without reading the solution
 * - `gave up`: the solution was read first, whether the task passes now or not
 * - `failing`: its check failed the last time
 * - `tried`: a hint was read, and no check has failed
 * - `untouched`
 */
export type TaskState = Of<typeof state>
export type WrittenFile = Of<typeof writtenFile>
