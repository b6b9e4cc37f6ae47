/** The files in which a trial says what it found, in the sandbox's copy of the data folder. */
export const TRIAL_FILE = 'trial.json'
export const STUCK_FILE = 'stuck.json'

/** The status with which an endless loop is ended. */
export const ENDLESS = 87

/** Where an endless loop was: the functions that ran then, the innermost first, as the watchdog writes them. */
export type Stuck = { file: string; line: number }[]
