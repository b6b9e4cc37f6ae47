import {
  count,
  flag,
  listOf,
  nullable,
  object,
  optional,
  type Shape,
  text,
  texts,
} from '../../kernel/syscalls/shape.ts'
import type { State } from './state.ts'

const pid: Shape = value => count(value) && Number(value) > 0

/** What `exec` needs of a spec; the rest of it had its use when the container was made. */
const spec = object({
  process: object({
    user: object({ uid: count, gid: count, umask: optional(count), additionalGids: optional(listOf(count)) }),
    args: texts,
    env: texts,
    cwd: text,
    capabilities: optional(
      object(
        Object.fromEntries(
          ['bounding', 'effective', 'inheritable', 'permitted', 'ambient'].map(set => [set, optional(texts)]),
        ),
      ),
    ),
    rlimits: optional(listOf(object({ type: text, soft: count, hard: count }))),
    noNewPrivileges: optional(flag),
    oomScoreAdj: optional(Number.isSafeInteger),
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
})

const state = object({
  id: text,
  name: text,
  image: text,
  command: texts,
  created: text,
  ports: texts,
  address: nullable(text),
  log: nullable(text),
  boot: text,
  pid,
  started: count,
  keeper: object({ pid, started: count }),
  spec,
  exit: optional(object({ status: count, at: text })),
})

/** Whether a value is what writeState() has written: a file may be damaged, and everything in it is used. */
export const isState = (value: unknown): value is State => state(value)
