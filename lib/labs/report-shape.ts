import type { CgroupMode } from '../kernel/cgroup/cgroupfs.ts'
import { count, flag, listOf, object, optional, type Shape, text } from '../kernel/syscalls/shape.ts'
import type { WrittenFile } from './written-files.ts'

/** The document that `minilab report --json` prints: what a learner hands in. All times are ISO 8601. */
export interface LabReport {
  /** what this file is, and the version of its shape */
  kind: 'minilab report'
  version: 1
  /** who hands it in, and where the name is from: it proves nothing */
  learner: { name: string; from: 'given with --name' | 'git config user.name' | 'the account’s name' }
  made: string
  machine: {
    kernel: string
    arch: string
    cgroup: CgroupMode
    /** how minilab works here: as root, or in a user namespace */
    mode: 'root' | 'rootless'
    /** the version of minilab */
    minilab: string
  }
  exercises: ReportedExercise[]
  /** what the learner wrote; reports of older versions have none */
  files?: WrittenFile[]
  predictions: ReportedPrediction[]
}

export interface ReportedExercise {
  /** of the chapter */
  number: number
  name: string
  title: string
  tasks: ReportedTask[]
}

export interface ReportedTask {
  id: string
  title: string
  state: TaskState
  /** how often its check failed before it first passed */
  attempts: number
  /** the hints that were read: 0 to 3 */
  hints: number
  /** when it was first and last checked */
  first?: string
  last?: string
  /** when it first passed */
  passed?: string
  /** when the solution was read before that */
  gaveUp?: string
  /** why it failed the last time; of a task that once passed too, where it fails by now */
  failing?: { check: string; diagnosis: string }
}

/**
 * - `passed` once, by the learner's own means
 * - `gave up`: the solution was read first, whether it passes by now or not
 * - `failing`: checked, and its check failed the last time
 * - `tried`: something was done about it (a hint was read), and no check failed
 * - `untouched`
 */
export type TaskState = (typeof STATES)[number]
const STATES = ['passed', 'gave up', 'failing', 'tried', 'untouched'] as const

interface ReportedPrediction {
  step: number
  question: string
  /** what was said, and what the kernel said */
  said: string
  answer: string
  right: boolean
  at: string
}

const time: Shape = value => typeof value === 'string' && !Number.isNaN(Date.parse(value))
const oneOf =
  (...values: readonly unknown[]): Shape =>
  value =>
    values.includes(value)

const task = object({
  id: text,
  title: text,
  state: oneOf(...STATES),
  attempts: count,
  hints: count,
  first: optional(time),
  last: optional(time),
  passed: optional(time),
  gaveUp: optional(time),
  failing: optional(object({ check: text, diagnosis: text })),
})

const report = object({
  kind: oneOf('minilab report'),
  version: oneOf(1),
  learner: object({ name: text, from: text }),
  made: time,
  machine: object({ kernel: text, arch: text, cgroup: text, mode: text, minilab: text }),
  exercises: listOf(object({ number: count, name: text, title: text, tasks: listOf(task) })),
  files: optional(listOf(object({ name: text, text }))),
  predictions: listOf(
    object({ step: count, question: text, said: text, answer: text, right: flag, at: time }),
  ),
})

/** Whether a value is a report: a learner's file may be damaged, or written by hand. */
export const isReport = (value: unknown): value is LabReport => report(value)
