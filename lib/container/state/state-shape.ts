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

/** The parts of a spec that `exec` needs; the rest was used only to make the container. */
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

/** Whether a value at least identifies a container's first process. */
export const isProcess = object({ id: text, boot: text, pid: positive, started: count })

const ourProcess = object({ pid: positive, started: count })

/** Whether a value has the form that writeState() writes: a file may be damaged, and everything in it is used. */
export const isState = object({
  id: text,
  name: text,
  image: text,
  command: texts,
  created: text,
  ports: texts,
  /** whether `run -e` or the image has set its HOME: then that of another user does not replace it */
  hasOwnHome: optional(flag),
  address: nullable(text),
  log: nullable(text),
  /** identifies the current boot: until the next one, a pid and a start time together are never reused */
  boot: text,
  /** its first process */
  pid: positive,
  /** when that process began, in clock ticks since boot: proc_pid_stat(5), starttime */
  started: count,
  /** our process that looks after the container, until it has recorded how the container ended: we, or its monitor */
  keeper: ourProcess,
  /** our processes that forward its published ports, in the order of `ports` */
  forwarders: optional(listOf(ourProcess)),
  /** our processes that write its log, where those are others */
  pumps: optional(object({ stdout: ourProcess, stderr: ourProcess })),
  spec,
  exit: optional(object({ status: count, at: text })),
})

/** What is stored about a container that `minilab run` made: <data>/containers/<id>/state.json. */
export type State = Of<typeof isState>
