import type { Exercise } from './exercise.ts'
import type { Progress } from './progress-shape.ts'
import { isPassed, labKey, taskKey } from './verdict.ts'

/** The labs to write on a first pass; the others can wait. */
const FIRST = [2, 3, 7]
export const isForFirstPass = (number: number) => FIRST.includes(number)

/** The lab that comes next: the one that was opened or checked last, then those of a first pass, then the others; undefined where all are passed. */
export function nextLab(labs: readonly Exercise[], progress: Progress): Exercise | undefined {
  const open = labs.filter(lab => !isPassed(progress, lab))
  const [latest] = open.toSorted((a, b) => workedOn(progress, b) - workedOn(progress, a))
  if (latest && workedOn(progress, latest) > 0) return latest
  return open.find(({ number }) => isForFirstPass(number)) ?? open[0]
}

/** Where to go from a lab: on, where it is not passed. */
export function labAfter(
  labs: readonly Exercise[],
  progress: Progress,
  left: Exercise,
): Exercise | undefined {
  if (isPassed(progress, left)) return nextLab(labs, progress)
  const later = labs.filter(({ number }) => number > left.number)
  return (
    nextLab(later, progress) ??
    nextLab(
      labs.filter(lab => lab !== left),
      progress,
    )
  )
}

/** When a lab was last opened or checked, in ms; 0 where it never was. */
const workedOn = ({ tasks, opened = {} }: Progress, exercise: Exercise): number =>
  Math.max(
    ...[opened[labKey(exercise)], ...exercise.tasks.map(({ id }) => tasks[taskKey(exercise, id)]?.last)].map(
      at => Date.parse(at ?? '') || 0,
    ),
  )

/** Notes that a lab was opened: it is the one to go on with. */
export function noteOpened(progress: Progress, exercise: Exercise, now = new Date().toISOString()): void {
  progress.opened = { ...progress.opened, [labKey(exercise)]: now }
}
