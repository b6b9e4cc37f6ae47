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

/** A running container, described so that it can be found from another pid namespace too. */
const container = object({
  kind: oneOf('container'),
  name: text,
  /** its first process, as numbered where the event comes from */
  pid: count,
  /** proc_pid_stat(5), field 22: the same from every pid namespace */
  started: count,
  /** the inode of the pid namespace that the event comes from */
  pidNamespace: count,
})

const call = anyOf(
  object({ summary: text }),
  object({ call: text, args: text, result: nullable(number), errno: nullable(text), ns: number }),
)

/** Whether a value is an event of a step or a lab. Must be checked: a learner's code can send events too. */
export const isFeedEvent = anyOf(
  // `trial`: what is tried, a learner's code or a known-wrong variant; null for the step itself
  object({ kind: oneOf('step'), number: count, name: text, title: text, trial: nullable(text) }),
  object({ kind: oneOf('stage'), number: count, of: count, title: text }),
  container,
  object({ kind: oneOf('launch'), purpose: text, calls: listOf(call) }),
  object({
    kind: oneOf('check'),
    claim: text,
    /** null if it could not be checked here: `reason` says why */
    ok: nullable(flag),
    evidence: listOf(
      object({ source: text, host: nullable(text), container: nullable(text), note: optional(text) }),
    ),
    /** the diagnosis of a failed check, or why it was not made */
    reason: nullable(text),
  }),
  // the escape ladder: all attacks and their results in one chapter
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
  /** it ran to its end; if this is missing, it stopped before */
  object({ kind: oneOf('end'), ok: flag }),
)

/** What a step or a lab sends to each `minilab view` of the same data folder: one JSON document a line. */
export type FeedEvent = Of<typeof isFeedEvent>
export type ContainerEvent = Of<typeof container>
/** A replayed call, or several calls summed up in one sentence. */
export type FeedCall = Of<typeof call>
