import { certain } from '../common/certain.ts'
import type { Replayed } from '../kernel/tape/tape.ts'
import type { HostWork, Launch, Timeline } from './timeline.ts'

/**
 * An event of Chrome's Trace Event Format, as chrome://tracing and https://ui.perfetto.dev read it: `X` is a slice of time,
 * `M` the name of a row. Times are in microseconds.
 */
export type TraceEvent =
  | { ph: 'M'; name: string; pid: number; tid: number; args: { name: string } | { sort_index: number } }
  | {
      ph: 'X'
      name: string
      cat: string
      pid: number
      tid: number
      ts: number
      dur: number
      args: Record<string, string | number | null>
    }

export interface Trace {
  traceEvents: TraceEvent[]
  displayTimeUnit: 'ns'
  otherData: Record<string, string>
}

const HOST = 1 // the row of our own work; each child has a row below it, in the order of their clone3

/** A step as a trace: its children's system calls, beside what we did on the host for them. */
export function trace({ step, own, launches, host }: Timeline): Trace {
  const pid = step.number
  const rows = [...(own ? [own] : []), ...launches]
    .flatMap(launch => {
      const at = cloned(launch)
      return at === undefined ? [] : [{ launch, at }]
    })
    .sort((a, b) => a.at - b.at)
  const zero = Math.min(...[...rows, ...host].map(({ at }) => at))
  const events: TraceEvent[] = [
    { ph: 'M', name: 'process_name', pid, tid: 0, args: { name: `minilab step ${pid}, ${step.name}` } },
    ...row(pid, HOST, 'we, on the host', host.map(work)),
    ...rows.flatMap(({ launch, at }, i) => row(pid, HOST + 1 + i, launch.purpose, calls(launch, at))),
  ]
  return { traceEvents: events, displayTimeUnit: 'ns', otherData: { producer: 'minilab' } }

  function row(pid: number, tid: number, name: string, slices: Slice[]): TraceEvent[] {
    return [
      { ph: 'M', name: 'thread_name', pid, tid, args: { name } },
      { ph: 'M', name: 'thread_sort_index', pid, tid, args: { sort_index: tid } },
      ...slices.map(({ name, cat, at, ns, args }): TraceEvent => {
        return { ph: 'X', name, cat, pid, tid, ts: micros(at - zero), dur: micros(ns), args }
      }),
    ]
  }
}

interface Slice {
  name: string
  cat: string
  at: number
  ns: number
  args: Record<string, string | number | null>
}

/** When a child was cloned; undefined for what we asked the kernel ourselves, which has no times. */
function cloned({ tape: [first] }: Launch): number | undefined {
  return first?.at === undefined ? undefined : first.at - (first.start ?? 0)
}

function work({ part, hook, at, ns }: HostWork): Slice {
  const when = hook === 'prepare' ? 'before the clone3' : 'while the child waits at its gate'
  return { name: `${part}: ${hook}`, cat: part, at, ns, args: { when } }
}

/** One slice for the whole child, from the clone3 on, and inside it the calls, each until the next one begins. */
function calls({ purpose, clone, tape }: Launch, at: number): Slice[] {
  const last = certain(tape.at(-1))
  const whole = {
    name: purpose,
    cat: 'launch',
    at,
    ns: certain(last.at) + last.ns - at,
    args: { calls: tape.length },
  }
  return [whole, ...(clone ? [call(clone)] : []), ...tape.map(call)]
}

function call({ call, args, result, errno, at, ns, part }: Replayed): Slice {
  const outcome = result === null ? '?' : errno ? `-1 ${errno}` : String(result)
  const shown = { call: `${call}(${args}) = ${outcome}`, result, errno }
  return {
    name: call,
    cat: part || (call === 'clone3' ? 'clone' : 'visit'),
    at: certain(at),
    ns,
    args: shown,
  }
}

/**
 * Nanoseconds as microseconds that give the same nanoseconds again when Perfetto multiplies them by 1000 and truncates. One
 * nanosecond less, and a call would seem to begin before the previous one ended.
 */
function micros(ns: number): number {
  const µs = ns / 1000
  return Math.trunc(µs * 1000) === ns ? µs : (ns + 0.1) / 1000
}
