/** `progress.json`, the one file in a workspace that minilab keeps for itself; everything in it may be read by others. */
export interface Progress {
  /** the version of this shape */
  minilab: 1
  /** what is known of each task, by `3-root/pivot`; what a later version of the labs has no more stays here */
  tasks: Record<string, TaskProgress>
  /** what was predicted in `minilab step` and in the quiz, the latest answer to each question */
  predictions: Record<string, PredictionProgress>
  /** for labs of which no check failed the last time, by `3-root` or `3-root rootless`: a digest of the file as it was then */
  proven?: Record<string, string>
  /** when a lab’s tasks were last shown by `minilab lab`, by `3-root`; ISO 8601 */
  opened?: Record<string, string>
}

export interface TaskProgress {
  /** when it was first checked, and last; ISO 8601 */
  first: string
  last: string
  /** how often its check failed before it first passed */
  attempts: number
  /** the hints that were read: 0 to 3 */
  hints: number
  /** the hints that were read since the start file was put back; absent where it has passed since, or was never put back */
  again?: number
  /** a digest of the lab's file as it was when this task was begun: as long as it is that, nothing is written for it */
  from?: string
  /** when it first passed */
  passed?: string
  /** when the solution was read before that */
  gaveUp?: string
  /** why it failed the last time; absent when it passed */
  failing?: { check: string; diagnosis: string }
}

interface PredictionProgress {
  step: number
  /** what was said, and what the kernel said */
  said: string
  answer: string
  at: string
}
