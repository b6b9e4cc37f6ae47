import type { Target } from './target.ts'

/** What came of an attack, by what the kernel says outside of the container. */
export interface Outcome {
  /** null where it cannot be told here */
  stopped: boolean | null
  /** in one line; of a cell that is limited, the reason */
  evidence: string
}

/** Something that a hostile program in a container tries against its host, or against its neighbours. */
export interface Attack {
  id: string
  /** a few words, for the matrix */
  title: string
  /** one sentence: what it does, and what would come of it */
  tries: string
  /** Makes it, in its own container. Nothing that it can do harms the machine. */
  act(target: Target): Promise<Outcome>
}

/** One attack on the container of one chapter. */
export interface Cell extends Outcome {
  attack: string
  chapter: number
  /** why it cannot be told here */
  limited: string | null
}

export const gotThrough = (evidence: string): Outcome => ({ stopped: false, evidence })
export const stopped = (evidence: string): Outcome => ({ stopped: true, evidence })
export const cannotTell = (evidence: string): Outcome => ({ stopped: null, evidence })
