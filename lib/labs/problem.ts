import { MinilabError, type SourceLine } from '../common/errors.ts'

/** Why there is no container to check, in words for the author of the code. */
export interface Problem {
  what: string
  at?: SourceLine
  remedy: string
}

/** The error to throw if the learner's code, or its request, cannot continue. */
export const learnersError = ({ what, at, remedy }: Problem) =>
  new MinilabError('refused', what, remedy, { at })
