import type { Target } from './target.ts'

/** The result of an attack, as the kernel shows it outside the container. */
export interface Outcome {
  /** null if it cannot be found out here */
  stopped: boolean | null
  /** one line; in a limited cell, the reason */
  evidence: string
}

/** An attack by a hostile program in a container on its host or on its neighbours. */
export interface Attack {
  id: string
  /** a few words, as the heading of its row */
  title: string
  /** one sentence: what it does, and what that would allow */
  tries: string
  /** Runs the attack in its own container. It cannot harm the machine. */
  act(target: Target): Promise<Outcome>
}

/** The result of one attack on the container of one chapter. */
export interface Cell extends Outcome {
  attack: string
  chapter: number
  /** why it cannot be found out here; null if it can */
  limited: string | null
}

export const gotThrough = (evidence: string): Outcome => ({ stopped: false, evidence })
export const stopped = (evidence: string): Outcome => ({ stopped: true, evidence })
export const cannotTell = (evidence: string): Outcome => ({ stopped: null, evidence })
