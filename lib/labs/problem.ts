import { MinilabError, type SourceLine } from '../common/errors.ts'

/** Why the learner's code came to no container that could be looked at, in words for its writer. */
export interface Problem {
  what: string
  at?: SourceLine
  remedy: string
}

/** To be thrown where the learner's code, or what it asked for, cannot go on. */
export const learnersError = ({ what, at, remedy }: Problem) =>
  new MinilabError('refused', what, remedy, { at })
