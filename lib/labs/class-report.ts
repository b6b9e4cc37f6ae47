import { basename } from 'node:path'
import { codeOf } from '../common/error-code.ts'
import { readJson, type Unfit } from '../common/json.ts'
import type { Exercise } from './exercise.ts'
import { taskKey } from './verdict.ts'
import { isReport, type LabReport, type ReportedTask } from './report-shape.ts'

/** The reports of a class combined. Names, checks' ids and diagnoses are untrusted: escape them. */
export interface ClassReport {
  exercises: readonly Exercise[]
  learners: Learner[]
  /** the failing checks, those that most learners fail first */
  failures: Failure[]
  /** files that are not reports, and why: one line each, with the file's name */
  problems: string[]
  /** what is left out of the other reports */
  notes: string[]
}

export interface Learner {
  name: string
  /** tasks by `3-root/pivot`; without those that the labs do not have */
  tasks: Map<string, ReportedTask>
  /** the predictions in steps and quiz: how many were asked for, and how many are right */
  predictions: { right: number; asked: number }
  /** when the learner last did something in the labs, ISO 8601; absent if never */
  last?: string
  /** of the failing tasks, the one that failed last */
  stuck?: { task: string; check: string; attempts: number; hints: number }
}

/** One check of one lab, and the learners who fail it. */
export interface Failure {
  exercise: Exercise
  check: string
  cells: Map<Learner, ReportedTask>
  /** the most frequent diagnosis, ignoring numbers, and how many learners have it */
  commonest: { diagnosis: string; count: number }
}

const MOST_BYTES = 2 ** 22 // bytes: a hundred times the size of a report

/** Reads reports; a file that is not a report becomes a problem, and the rest is read. */
export function readClass(files: readonly string[], exercises: readonly Exercise[]): ClassReport {
  const problems: string[] = []
  const read = files.flatMap(file => {
    const found = readReport(file)
    if (typeof found !== 'string') return [{ file, report: found }]
    problems.push(`${file} ${found}`)
    return []
  })
  const ids = new Set(exercises.flatMap(exercise => exercise.tasks.map(task => taskKey(exercise, task.id))))
  const notes: string[] = []
  const learners = read.map(({ file, report }) => {
    const tasks = report.exercises.flatMap(exercise =>
      exercise.tasks.map(task => [taskKey(exercise, task.id), task] as const),
    )
    const unknown = tasks.filter(([id]) => !ids.has(id)).length
    if (unknown > 0)
      notes.push(`${file} has tasks that these labs do not have (${unknown}): they are left out`)
    const known = new Map(tasks.filter(([id]) => ids.has(id)))
    const alone = read.filter(other => other.report.learner.name === report.learner.name).length === 1
    const name = report.learner.name.trim() || basename(file)
    return about(alone ? name : `${name} (${basename(file)})`, known, report)
  })
  return { exercises, learners, failures: failures(exercises, learners), problems, notes }
}

/** A learner's tasks of one lab; undefined for a task that the report does not have, because it was not touched. */
export function tasksOf(exercise: Exercise, { tasks }: Learner): (ReportedTask | undefined)[] {
  return exercise.tasks.map(task => tasks.get(taskKey(exercise, task.id)))
}

/** The report in a file, or why there is none. */
function readReport(file: string): LabReport | string {
  try {
    const report = readJson(file, isReport, MOST_BYTES)
    return typeof report === 'string' ? UNFIT[report] : report
  } catch (error) {
    const code = codeOf(error)
    if (!code) throw error
    return WHY[code] ?? `cannot be read: ${code}`
  }
}

const UNFIT: Record<Unfit, string> = {
  'no file': 'is no file',
  'too large': 'is too large to be a report',
  'no JSON': 'is not JSON, or cut off: minilab report --json makes it again',
  'another shape': 'is no report, or a damaged one: minilab report --json makes it again',
}
const WHY: Record<string, string> = { ENOENT: 'is not there', EACCES: 'may not be read' }

function about(name: string, tasks: Map<string, ReportedTask>, { predictions }: LabReport): Learner {
  const last = [...tasks.values()]
    .map(({ last }) => last)
    .filter(time => time !== undefined)
    .toSorted(byTime)
    .at(-1)
  const [stuck] = [...tasks]
    .flatMap(([id, { failing, last, attempts, hints }]) =>
      failing ? [{ last, stuck: { task: id, check: failing.check, attempts, hints } }] : [],
    )
    .sort((a, b) => byTime(b.last, a.last))
  return {
    name,
    tasks,
    predictions: { right: predictions.filter(({ right }) => right).length, asked: predictions.length },
    ...(last && { last: new Date(last).toISOString() }),
    ...(stuck && { stuck: stuck.stuck }),
  }
}

const byTime = (a = NEVER, b = NEVER) => Date.parse(a) - Date.parse(b)
const NEVER = '1970'

function failures(exercises: readonly Exercise[], learners: readonly Learner[]): Failure[] {
  return exercises
    .flatMap(exercise => {
      const failing = learners.flatMap(learner =>
        tasksOf(exercise, learner).flatMap(task =>
          task?.failing ? [{ learner, task, ...task.failing }] : [],
        ),
      )
      return [...Map.groupBy(failing, ({ check }) => check)].map(([check, group]): Failure => {
        const cells = new Map(group.map(({ learner, task }) => [learner, task]))
        const diagnoses = new Map(group.map(({ learner, diagnosis }) => [learner, diagnosis]))
        return { exercise, check, cells, commonest: commonest([...diagnoses.values()]) }
      })
    })
    .toSorted((a, b) => b.cells.size - a.cells.size)
}

/** The most frequent diagnosis. Numbers are ignored, because inodes and pids differ. */
function commonest(diagnoses: readonly string[]): Failure['commonest'] {
  const groups = [...Map.groupBy(diagnoses, diagnosis => diagnosis.replace(/\d+/g, '0')).values()]
  const [largest = []] = groups.toSorted((a, b) => b.length - a.length)
  return { diagnosis: largest[0] ?? '', count: largest.length }
}
