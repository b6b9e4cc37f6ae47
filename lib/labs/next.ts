import type { Exercise } from './exercise.ts'
import type { Progress } from './progress-shape.ts'
import { isPassed, labKey, taskKey } from './verdict.ts'

/** The labs to write on a first pass through the book. */
const FIRST = [2, 3, 7]
export const isForFirstPass = (number: number) => FIRST.includes(number)

/**
 * The next lab: the one that was opened or checked last, else the first open one of the first pass, else of the others;
 * undefined if all are passed.
 */
export function nextLab(labs: readonly Exercise[], progress: Progress): Exercise | undefined {
  const open = labs.filter(lab => !isPassed(progress, lab))
  const [latest] = open.toSorted((a, b) => workedOn(progress, b) - workedOn(progress, a))
  if (latest && workedOn(progress, latest) > 0) return latest
  return open.find(({ number }) => isForFirstPass(number)) ?? open[0]
}

/** The next lab after `left`: if that is not passed, a later open one, else any other open one. */
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

/** When a lab was last opened or checked, in ms; 0 if never. */
const workedOn = ({ tasks, opened = {} }: Progress, exercise: Exercise): number =>
  Math.max(
    ...[opened[labKey(exercise)], ...exercise.tasks.map(({ id }) => tasks[taskKey(exercise, id)]?.last)].map(
      at => Date.parse(at ?? '') || 0,
    ),
  )

/** Notes that a lab was opened, so that it becomes the next one. */
export function noteOpened(progress: Progress, exercise: Exercise, now = new Date().toISOString()): void {
  progress.opened = { ...progress.opened, [labKey(exercise)]: now }
}
