import type { Trace, TraceEvent } from '../../lib/guide/trace.ts'

export type Slice = Extract<TraceEvent, { ph: 'X' }>

/** Nanoseconds as Perfetto reads a time: multiplied, and cut off (trace_processor's json_utils.cc, CoerceToTs). */
export const nanoseconds = (µs: number) => Math.trunc(µs * 1000)

/** One row of a trace: a thread's name, and its slices in the order of the file. */
export interface TraceRow {
  name: string
  slices: Slice[]
}

export function rowsOf({ traceEvents }: Trace): TraceRow[] {
  const slices = traceEvents.filter(event => event.ph === 'X')
  return traceEvents
    .filter(event => event.ph === 'M' && event.name === 'thread_name')
    .map(({ tid, args }) => ({
      name: (args as { name: string }).name,
      slices: slices.filter(slice => slice.tid === tid),
    }))
}

const NAMES: Record<string, [key: string, type: string]> = {
  process_name: ['name', 'string'],
  thread_name: ['name', 'string'],
  thread_sort_index: ['sort_index', 'number'],
}

/** What in a document is against the rules of the Trace Event Format (its JSON object format), or would be drawn wrongly. */
export function traceProblems(document: unknown): string[] {
  const { traceEvents: events, displayTimeUnit } = document as { [key in keyof Trace]: unknown }
  if (!Array.isArray(events)) return ['traceEvents is no array']
  const all = events as Record<string, unknown>[]
  const named = (what: string, { pid, tid }: Record<string, unknown>) =>
    all.filter(e => e.name === what && e.pid === pid && (what === 'process_name' || e.tid === tid)).length
  const unit =
    displayTimeUnit === 'ns' || displayTimeUnit === 'ms' ? [] : ['displayTimeUnit is neither ns nor ms']
  return [
    ...unit,
    ...all.flatMap(event => eventProblems(event).map(problem => `${problem}: ${JSON.stringify(event)}`)),
    ...all
      .filter(
        event =>
          event.ph === 'X' && (named('thread_name', event) !== 1 || named('process_name', event) !== 1),
      )
      .map(event => `its row or process has no name, or two: ${JSON.stringify(event)}`),
    ...rowsOf(document as Trace).flatMap(overlaps),
  ]
}

function eventProblems({ ph, name, cat, pid, tid, ts, dur, args }: Record<string, unknown>): string[] {
  const time = (value: unknown) => typeof value === 'number' && Number.isFinite(value) && value >= 0
  const rules: [holds: boolean, rule: string][] = [
    [typeof name === 'string' && name !== '', 'no name'],
    [Number.isSafeInteger(pid) && Number.isSafeInteger(tid), 'pid or tid is no integer'],
    [typeof args === 'object' && args !== null, 'args is no object'],
  ]
  if (ph === 'X')
    rules.push(
      [time(ts) && time(dur), 'ts or dur is no time'],
      [typeof cat === 'string' && cat !== '', 'no cat'],
    )
  else if (ph === 'M') {
    const [key = '', type] = NAMES[String(name)] ?? []
    rules.push([
      typeof (args as Record<string, unknown>)[key] === type && type !== undefined,
      'no such metadata',
    ])
  } else rules.push([false, 'ph is neither X nor M'])
  return rules.filter(([holds]) => !holds).map(([, rule]) => rule)
}

/** Slices of a row that begin in another and end behind it: they neither nest nor follow each other. */
function overlaps({ name, slices }: TraceRow): string[] {
  const spans = slices.map(({ ts, dur }) => ({
    from: nanoseconds(ts),
    to: nanoseconds(ts) + nanoseconds(dur),
  }))
  const open: typeof spans = []
  const found: string[] = []
  for (const span of spans.toSorted((a, b) => a.from - b.from || b.to - a.to)) {
    while (open.length > 0 && open.at(-1)!.to <= span.from) open.pop()
    const around = open.at(-1)
    if (around && span.to > around.to) found.push(`${name}: ${JSON.stringify([around, span])} overlap`)
    open.push(span)
  }
  return found
}
