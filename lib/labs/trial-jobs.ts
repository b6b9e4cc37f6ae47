import { Jobs } from '../sandbox/jobs.ts'
import type { TrialRequest } from './trial-in-sandbox.ts'

/** The trials of learners' code, as jobs of a process in a sandbox. */
export const TRIALS = new Jobs<TrialRequest>('trials')
