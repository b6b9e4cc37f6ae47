import { Jobs } from '../sandbox/jobs.ts'
import type { TrialRequest } from './trial-in-sandbox.ts'

/** Trials of learners' code, as jobs for a process in a sandbox. */
export const TRIALS = new Jobs<TrialRequest>('trials')
