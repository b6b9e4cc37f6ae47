import { certain } from '../common/certain.ts'
import type { Report } from '../guide/step.ts'
import { type Exercise, type LabName, partOf, type Task } from './exercise.ts'
import type { Problem } from './problem.ts'
import type { Progress, TaskProgress } from './progress-shape.ts'
import { reasonFor, reasonsFor } from './reasons.ts'
import { diffTapes, type TapeDiff } from './tape-diff.ts'
import type { TriedOut } from './trials.ts'

/** The result of one task. `limited`: this machine cannot check it. */
export interface TaskVerdict {
  id: string
  title: string
  state: 'passed' | 'failed' | 'limited'
  checks: Report['checks']
  /** those of its checks that were not made, because the step ended before */
  missing: string[]
  /** the first difference between its tape and the reference's, explained; only if it failed and something is written for it */
  difference: string | null
}

/** The output of `minilab check --json`. */
export interface Verdict {
  lab: number
  name: string
  file: string
  mode: 'root' | 'rootless'
  passed: boolean
  /** the earlier chapters whose parts were the learner's */
  own: number[]
  tasks: TaskVerdict[]
  /** the failed task that the learner works on, whose failure is explained; null if none failed */
  working: string | null
  /** whether something is written for that task already */
  written: boolean
  /** the next lab: this one until it is passed; null if all are passed */
  next: number | null
  /** what stopped it, in words for the author of the code */
  problem: Problem | null
  /** what the learner's code printed */
  said: string
  left: string[]
}

/** Judges each task by the results of the checks. */
export function judgeTasks(exercise: Exercise, tried: TriedOut): TaskVerdict[] {
  const found = tried.report?.checks ?? []
  return exercise.tasks.map(task => {
    const checks = found.filter(({ id }) => task.checks.includes(id))
    const missing = task.checks.filter(id => !checks.some(check => check.id === id))
    const failed = missing.length > 0 || checks.some(({ ok }) => ok === false)
    const isLimited = !failed && checks.every(({ ok }) => ok === null)
    const state = failed ? 'failed' : isLimited ? 'limited' : 'passed'
    const difference = state === 'failed' ? (tapeDiffOf(exercise, task, tried)?.first ?? null) : null
    return { id: task.id, title: task.title, state, checks, missing, difference }
  })
}

/** Whether the learner's tape has a call that this task asks for. */
function hasCallOf(exercise: Exercise, task: Task, tried: TriedOut): boolean {
  const reasons = reasonsFor(exercise, task)
  const { yours = [] } = tapesOf(task, tried) ?? {}
  return yours.some(({ call }) => reasonFor(call, reasons)?.task === task.id)
}

/**
 * Notes the file with which a task was begun, and returns whether something is written for the task: one of its calls, or any
 * change since. `content` is a digest of the file, `start` of the start file.
 */
export function isWritten(
  progress: Progress,
  exercise: Exercise,
  id: string,
  { tried, content, start }: { tried: TriedOut; content: string; start: string },
): boolean {
  const task = certain(exercise.tasks.find(task => task.id === id))
  const noted = certain(progress.tasks[taskKey(exercise, id)])
  noted.from ??= task === exercise.tasks[0] ? start : content
  return noted.from !== content || hasCallOf(exercise, task, tried)
}

/**
 * Chooses the failed task that the learner works on. An error that stopped everything belongs to the tasks about the code that
 * caused it, first to those never passed, because that is what the learner has just changed. A refused call belongs to the task
 * that asks for it.
 */
export function workingOn(
  exercise: Exercise,
  tasks: TaskVerdict[],
  problem: Problem | null,
  progress: Progress,
): string | null {
  const failed = tasks.filter(({ state }) => state === 'failed')
  if (!problem) return failed[0]?.id ?? null
  const about = failed.filter(({ id }) => writes(exercise, id) === problem.at?.within)
  const blamed = about.length > 0 ? about : failed
  const asking =
    exercise.tasks.find(({ refused }) => refused?.test(problem.what))?.id ??
    reasonFor(problem.what, exercise.reasons)?.task
  const first = blamed.toSorted((a, b) => Number(b.id === asking) - Number(a.id === asking))
  const open = first.find(({ id }) => isOpen(progress, exercise, id))
  return (open ?? first[0])?.id ?? null
}

/** The exported name that a task is about. */
const writes = (exercise: Exercise, id: string): string | undefined =>
  exercise.tasks.find(task => task.id === id)?.writes ?? partOf(exercise)

/** A task's tape beside the reference's: its own if it has one, else that of the chapter's part. */
export function tapeDiffOf(
  exercise: Exercise,
  task: Task,
  tried: Pick<TriedOut, 'tapes' | 'problem'>,
): TapeDiff | undefined {
  const tape = tapesOf(task, tried)
  return tape && diffTapes(tape.yours, tape.reference, exercise, task, tried.problem)
}

const tapesOf = (task: Task, { tapes }: Pick<TriedOut, 'tapes'>) => tapes[task.record ? task.id : 'part']

/** The name of a lab in progress.json: `3-root`. */
export const labKey = ({ number, name }: LabName) => `${number}-${name}`

/** The name of a task there: `3-root/pivot`. */
export const taskKey = (lab: LabName, id: string) => `${labKey(lab)}/${id}`

/** Why a task failed, in brief: the first check that failed, or what stopped it. */
export function whyFailed(
  { checks, missing }: TaskVerdict,
  problem: Problem | null,
): { check: string; diagnosis: string } {
  const failed = checks.find(({ ok }) => ok === false)
  if (failed) return { check: failed.id, diagnosis: failed.diagnosis ?? failed.claim }
  return { check: missing[0] ?? '', diagnosis: problem?.what ?? 'it could not be looked at' }
}

/** The progress of a task, to be changed; created if there is none. */
export function begun(progress: Progress, exercise: Exercise, id: string, at: string): TaskProgress {
  return (progress.tasks[taskKey(exercise, id)] ??= { first: at, last: at, attempts: 0, hints: 0 })
}

/** Notes a verdict. An attempt counts only for the task that the learner works on. */
export function noteVerdict(
  progress: Progress,
  exercise: Exercise,
  verdict: Pick<Verdict, 'tasks' | 'working' | 'problem'>,
  now = new Date(),
): void {
  const at = now.toISOString()
  for (const task of verdict.tasks) {
    if (task.state !== 'passed' && task.id !== verdict.working) continue
    const noted = begun(progress, exercise, task.id, at)
    noted.last = at
    delete noted.failing
    if (task.state === 'passed') {
      noted.passed ??= at
      delete noted.again
    } else {
      noted.attempts++
      noted.failing = whyFailed(task, verdict.problem)
    }
  }
}

/** Whether a task must still be passed: it never was, or not since the start file was restored. */
export function isOpen({ tasks }: Progress, exercise: Exercise, id: string): boolean {
  const { passed, again } = tasks[taskKey(exercise, id)] ?? {}
  return passed === undefined || again !== undefined
}

/** How many hints of a task are shown. */
export function hintsRead({ tasks }: Progress, exercise: Exercise, id: string): number {
  const { again, hints = 0 } = tasks[taskKey(exercise, id)] ?? {}
  return again ?? hints
}

/** The current task: the first open one; undefined if there is none. */
export function taskAt(progress: Progress, exercise: Exercise): Task | undefined {
  return exercise.tasks.find(({ id }) => isOpen(progress, exercise, id))
}

/** Whether an exercise has no open task. */
export const isPassed = (progress: Progress, exercise: Exercise) => taskAt(progress, exercise) === undefined
