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

/** The files with a trial's results, in the sandbox's copy of the data folder. */
export const TRIAL_FILE = 'trial.json'
export const STUCK_FILE = 'stuck.json'

/** The exit status of a process that was ended because of an endless loop. */
export const ENDLESS = 87

/** Where an endless loop was: the call stack, innermost first, as the watchdog writes it. */
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

/** More calls than any tape of a lab has. Comparing two tapes takes time proportional to the product of their lengths. */
const MOST_CALLS = 5000
const calls = <T>(shape: Shape<T>) => where(listOf(shape), list => list.length <= MOST_CALLS)
const isRecorded = object({ call: text, at: optional(isPlace), mayFail: optional(flag) })

/** The results of a trial that are used outside its sandbox. Must be checked: the tried code may have written the file itself. */
export const isTrial = object({
  report: optional(object({ checks: listOf(isCheck), host: object({ left: texts }) })),
  problem: optional(isProblem),
  tapes: mapOf(object({ yours: calls(isRecorded), reference: calls(text) })),
  host: calls(text),
  spoiled: texts,
})
