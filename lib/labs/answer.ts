/** An answer to a task: the reference solution with some text replaced. */
interface Answer {
  task: string
  name: string
  /** text of solution.ts, which must occur exactly once, and its replacement */
  edits: [from: string, to: string][]
}

/** What a learner with a misconception may write. The task must fail, and say so in these words. */
export interface WrongAnswer extends Answer {
  /** the misconception, in a sentence */
  belief: string
  /** words from the diagnosis, from the problem, or from the explained difference of the tapes */
  says: string
  /** why only root sees a difference */
  rootOnly?: string
}

/** A right answer that differs from the reference. */
export type RightAnswer = Answer

/** The file of a learner who has solved only the earlier tasks: the solution without this one. */
export interface Unsolved {
  task: string
  /** text of solution.ts without the later tasks, which must occur exactly once, and its replacement */
  edits: [from: string, to: string][]
}
