import type { SourceLine } from '../kernel/tape/tape.ts'

/** Where in the learner's files: a line, as an editor counts them, and what stands there. */
export interface Place extends SourceLine {
  /** the exported name that it belongs to */
  within?: string
}

/** Why the learner's code came to no container that could be looked at, in words for its writer. */
export interface Problem {
  what: string
  at?: Place
  remedy: string
}

/** Thrown where the learner's code, or what it asked for, cannot go on. */
export class WrittenError extends Error {
  override name = 'WrittenError'
  readonly remedy: string
  readonly at: Place | undefined

  constructor({ what, at, remedy }: Problem) {
    super(what)
    this.remedy = remedy
    this.at = at
  }
}
