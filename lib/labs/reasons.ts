import type { Exercise, Reason, Task } from './exercise.ts'

/** The reasons of the calls on a task's tape. A task with its own tape has no earlier or later ones. */
export const reasonsFor = ({ reasons }: Pick<Exercise, 'reasons'>, task: Pick<Task, 'id' | 'record'>) =>
  task.record ? reasons.filter(reason => reason.task === task.id) : reasons

/** The reason of the call that these words begin with. */
export const reasonFor = (call: string, reasons: readonly Reason[]) =>
  reasons.find(reason => call.startsWith(reason.call))
