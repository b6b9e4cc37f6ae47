import {
  anyOf,
  count,
  flag,
  listOf,
  nullable,
  number,
  object,
  type Of,
  oneOf,
  optional,
  text,
} from '../common/shape.ts'

/** A container that runs now, so that it can be found from another pid namespace, too. */
const container = object({
  kind: oneOf('container'),
  name: text,
  /** its first process as the teller numbers it */
  pid: count,
  /** proc_pid_stat(5) field 22: the same from everywhere */
  started: count,
  /** the inode of the teller's pid namespace */
  pidNamespace: count,
})

const call = anyOf(
  object({ summary: text }),
  object({ call: text, args: text, result: nullable(number), errno: nullable(text), ns: number }),
)

/** Whether a value is what a step or a lab tells; a learner's code can tell things, too. */
export const isFeedEvent = anyOf(
  // `trial`: what is tried out, a learner's or wrong on purpose; null where it is the step itself
  object({ kind: oneOf('step'), number: count, name: text, title: text, trial: nullable(text) }),
  object({ kind: oneOf('stage'), number: count, of: count, title: text }),
  container,
  object({ kind: oneOf('launch'), purpose: text, calls: listOf(call) }),
  object({
    kind: oneOf('check'),
    claim: text,
    /** null where it could not be looked at here: `reason` says why */
    ok: nullable(flag),
    evidence: listOf(
      object({ source: text, host: nullable(text), container: nullable(text), note: optional(text) }),
    ),
    /** the diagnosis of a check that failed, or why it was not looked at */
    reason: nullable(text),
  }),
  // the escape ladder: all attacks, and what came of them in one chapter
  object({
    kind: oneOf('ladder'),
    rootless: flag,
    chapters: listOf(object({ number: count, name: text })),
    attacks: listOf(object({ id: text, title: text })),
  }),
  object({
    kind: oneOf('cells'),
    chapter: count,
    cells: listOf(object({ attack: text, stopped: nullable(flag), evidence: text })),
  }),
  /** it ran to its end; where this is missing, the end of the stream came before */
  object({ kind: oneOf('end'), ok: flag }),
)

/** What a step or a lab tells each `minilab view` of the same data folder: one JSON document a line. */
export type FeedEvent = Of<typeof isFeedEvent>
export type ContainerEvent = Of<typeof container>
/** A call as it was replayed, or several in one sentence. */
export type FeedCall = Of<typeof call>
