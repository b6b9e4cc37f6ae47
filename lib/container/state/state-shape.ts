import {
  count,
  flag,
  integer,
  listOf,
  nullable,
  object,
  type Of,
  optional,
  positive,
  type Shape,
  text,
  texts,
} from '../../common/shape.ts'
import type { Spec } from '../spec.ts'

/** What `exec` needs of a spec; the rest of it had its use when the container was made. */
const spec = object({
  process: object({
    user: object({ uid: count, gid: count, umask: optional(count), additionalGids: optional(listOf(count)) }),
    args: texts,
    env: texts,
    cwd: text,
    capabilities: optional(
      object({
        bounding: optional(texts),
        effective: optional(texts),
        inheritable: optional(texts),
        permitted: optional(texts),
        ambient: optional(texts),
      }),
    ),
    rlimits: optional(listOf(object({ type: text, soft: count, hard: count }))),
    noNewPrivileges: optional(flag),
    oomScoreAdj: optional(integer),
  }),
  linux: object({
    namespaces: listOf(object({ type: text })),
    seccomp: optional(
      object({
        defaultAction: text,
        syscalls: optional(
          listOf(
            object({
              names: texts,
              action: text,
              args: optional(listOf(object({ index: count, value: count, op: text }))),
            }),
          ),
        ),
      }),
    ),
  }),
}) as Shape<Spec>

/** Whether a value tells at least which process a container's first one is. */
export const isProcess = object({ id: text, boot: text, pid: positive, started: count })

/** Whether a value is what writeState() has written: a file may be damaged, and everything in it is used. */
export const isState = object({
  id: text,
  name: text,
  image: text,
  command: texts,
  created: text,
  ports: texts,
  address: nullable(text),
  log: nullable(text),
  /** since when the machine runs: until its next start, a pid and a start time together are never reused */
  boot: text,
  /** its first process */
  pid: positive,
  /** when that began, in clock ticks since boot: proc_pid_stat(5), starttime */
  started: count,
  /** the process of ours that looks after it, until it has noted how it ended */
  keeper: object({ pid: positive, started: count }),
  spec,
  exit: optional(object({ status: count, at: text })),
})

/** What is remembered of a container that `minilab run` made: <data>/containers/<id>/state.json. */
export type State = Of<typeof isState>
