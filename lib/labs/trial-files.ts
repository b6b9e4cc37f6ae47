import {
  count,
  flag,
  listOf,
  mapOf,
  nullable,
  object,
  type Of,
  optional,
  type Shape,
  text,
  texts,
  where,
} from '../common/shape.ts'

/** The files in which a trial says what it found, in the sandbox's copy of the data folder. */
export const TRIAL_FILE = 'trial.json'
export const STUCK_FILE = 'stuck.json'

/** The status with which an endless loop is ended. */
export const ENDLESS = 87

/** Where an endless loop was: the functions that ran then, the innermost first, as the watchdog writes them. */
export const isStuck = listOf(object({ file: text, line: count }))
export type Stuck = Of<typeof isStuck>

const isPlace = object({ file: text, line: count, text, within: optional(text) })
const isProblem = object({ what: text, at: optional(isPlace), remedy: text })
const isEvidence = object({
  source: text,
  host: nullable(text),
  container: nullable(text),
  note: optional(text),
})
const isCheck = object({
  id: text,
  claim: text,
  ok: nullable(flag),
  limited: nullable(text),
  evidence: listOf(isEvidence),
  diagnosis: nullable(text),
})

/** More calls than these are on no tape of a lab: two tapes are compared in a time that grows with the product of their lengths. */
const MOST_CALLS = 5000
const calls = <T>(shape: Shape<T>) => where(listOf(shape), list => list.length <= MOST_CALLS)
const isRecorded = object({ call: text, at: optional(isPlace), mayFail: optional(flag) })

/** What of a trial is used outside of its sandbox, where the code that was tried may have written the file itself. */
export const isTrial = object({
  report: optional(object({ checks: listOf(isCheck), host: object({ left: texts }) })),
  problem: optional(isProblem),
  tapes: mapOf(object({ yours: calls(isRecorded), reference: calls(text) })),
  host: calls(text),
  spoiled: texts,
})
