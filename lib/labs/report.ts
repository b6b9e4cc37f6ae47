import type { Exercise } from './exercise.ts'
import type { Progress, TaskProgress } from './progress-shape.ts'
import { taskKey } from './verdict.ts'
import type { LabReport, ReportedExercise, ReportedTask, TaskState } from './report-shape.ts'

/** The report to hand in. Leaves out tasks that the labs no longer have. */
export function makeReport(
  exercises: readonly Exercise[],
  progress: Progress,
  about: Pick<LabReport, 'learner' | 'machine' | 'files'>,
): LabReport {
  return {
    kind: 'minilab report',
    version: 1,
    learner: about.learner,
    made: new Date().toISOString(),
    machine: about.machine,
    exercises: reportedExercises(exercises, progress),
    ...(about.files && { files: about.files }),
    predictions: Object.entries(progress.predictions).map(([question, { step, said, answer, at }]) => ({
      step,
      question,
      said,
      answer,
      right: said === answer,
      at,
    })),
  }
}

/** Every task of every lab, with its state. */
export function reportedExercises(exercises: readonly Exercise[], progress: Progress): ReportedExercise[] {
  return exercises.map(({ number, name, title, tasks }) => ({
    number,
    name,
    title,
    tasks: tasks.map(task => reported(task, progress.tasks[taskKey({ number, name }, task.id)])),
  }))
}

function reported({ id, title }: { id: string; title: string }, known?: TaskProgress): ReportedTask {
  if (!known) return { id, title, state: 'untouched', attempts: 0, hints: 0 }
  const { attempts, hints, first, last, passed, gaveUp, failing } = known
  return {
    id,
    title,
    state: stateOf(known),
    attempts,
    hints,
    first,
    last,
    ...(passed && { passed }),
    ...(gaveUp && { gaveUp }),
    ...(failing && { failing }),
  }
}

function stateOf({ passed, gaveUp, failing }: TaskProgress): TaskState {
  return gaveUp ? 'gave up' : passed ? 'passed' : failing ? 'failing' : 'tried'
}
