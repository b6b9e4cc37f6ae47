import type { Exercise, Reason, Task } from './exercise.ts'

/** The reasons that apply to a task's tape: for a task with its own tape only its own. */
export const reasonsFor = ({ reasons }: Pick<Exercise, 'reasons'>, task: Pick<Task, 'id' | 'record'>) =>
  task.record ? reasons.filter(reason => reason.task === task.id) : reasons

/** The reason for this call; undefined if there is none. */
export const reasonFor = (call: string, reasons: readonly Reason[]) =>
  reasons.find(reason => call.startsWith(reason.call))
