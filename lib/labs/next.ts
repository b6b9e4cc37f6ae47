import type { Exercise } from './exercise.ts'
import type { Progress } from './progress-shape.ts'
import { isPassed, taskKey } from './verdict.ts'

/** The labs to write on a first pass; the others can wait. */
const FIRST = [2, 3, 7]
export const isForFirstPass = (number: number) => FIRST.includes(number)

/** The lab that comes next: the one that was worked on last, then those of a first pass, then the others; undefined where all are passed. */
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

/** When something was last done about a lab, in ms; 0 where nothing was. */
const workedOn = ({ tasks }: Progress, exercise: Exercise): number =>
  Math.max(0, ...exercise.tasks.map(({ id }) => Date.parse(tasks[taskKey(exercise, id)]?.last ?? '') || 0))
