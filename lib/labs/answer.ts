/** An answer to a task: the reference solution with some words changed. */
interface Answer {
  task: string
  name: string
  /** words of solution.ts, each there exactly once, and what stands in their place */
  edits: [from: string, to: string][]
}

/** What a learner may write who has misunderstood; the task must fail, and say so in these words. */
export interface WrongAnswer extends Answer {
  /** what its writer believes, in a sentence */
  belief: string
  /** words of the diagnosis, of the problem, or of the explained difference of the tapes */
  says: string
  /** why there is nothing to see of it without root */
  rootOnly?: string
}

/** What is right, though the reference does it otherwise. */
export type RightAnswer = Answer

/** What a learner has not written yet who has solved the tasks before this one: the solution without it. */
export interface Unsolved {
  task: string
  /** words of solution.ts, without the tasks that come later; each there exactly once */
  edits: [from: string, to: string][]
}
