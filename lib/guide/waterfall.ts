import type { ChalkInstance } from 'chalk'
import { certain } from '../common/certain.ts'
import type { Replayed } from '../kernel/tape/tape.ts'
import type { HostWork, Launch, Timeline } from './timeline.ts'
import { fit, micro, wrap } from './text.ts'

/** A span of time in a bar: begin and length in nanoseconds, on the scale of its row. */
interface Stretch {
  start: number
  ns: number
}

interface Row {
  label: string
  ink: (text: string) => string
  stretches: Stretch[]
  /** how many nanoseconds the full width of its bars is */
  scale: number
  ns: number
}

const INDENT = '   '
const TIME = 8
/** The label at the beginning of a scale. */
const ZERO = '0 µs'

/**
 * Where the time of a start goes, line by line: a bar for each part, for each call of the parts that the step teaches, and for
 * what we did on the host meanwhile. The wait at the gate is cut out of the main scale and drawn on its own: where we make a
 * network, it is twenty times as long as everything else.
 */
export function waterfall(
  { own, host, step: { teaches } }: Timeline & { own: Launch },
  { width, ink }: { width: number; ink: ChalkInstance },
): string[] {
  const { bold, dim, italic, cyan, yellow, red } = ink
  const { tape, clone } = own
  const gates = tape.filter((call, i) => isGate(call, tape[i - 1]))
  const waited = sum(gates)
  const total = end(tape.at(-1))
  const scale = Math.max(1, total - waited)
  const names = Math.min(42, Math.max(15, Math.round(width * 0.41)))
  const room = width - INDENT.length - names - TIME - 2

  const rows = [
    ...(clone ? [row('clone3', [clone], yellow)] : []),
    ...chapters(tape, gates).flatMap(calls => {
      const first = certain(calls[0])
      const { part, call } = first
      if (gates.includes(first)) return gate(first)
      if (call === 'execve') return [row(named(calls, names), calls, cyan)]
      const [head, each] = [`${part}  ${count(calls.length, 'call')}`, teaches.includes(part)]
      if (!each) return [row(head, calls, cyan)]
      return [
        row(head, calls, dim),
        ...neighbours(calls).map(some => row(`  ${named(some, names - 2)}`, some, inkOf(some))),
      ]
    }),
  ]
  return [
    bold(`${INDENT}Where the ${micro(total)} of this start went`),
    ...before(host, clone).flatMap(text => wrapped(text)),
    dim(axis(scale)),
    ...rows.map(line),
    '',
    ...wrapped(
      `${micro(total)} from clone3 to execve, ${count(tape.length, 'call')} by the child. ` +
        `For ${micro(waited)} of it the child waited at its gate, for us: those bars have their own scale.`,
    ),
    '',
    `${INDENT}${bold('The three longest')}`,
    ...longest([...(clone ? [clone] : []), ...tape.filter(call => !gates.includes(call))]),
  ]

  function longest(calls: readonly Replayed[]): string[] {
    const three = calls.toSorted((a, b) => b.ns - a.ns).slice(0, 3)
    return three.map(call => {
      const times = `${micro(call.ns).padStart(TIME)} ${`${Math.round((100 * call.ns) / scale)} %`.padStart(5)}`
      const what = call === clone ? 'clone3' : named([call], width - INDENT.length - times.length - 2)
      return `${INDENT}${dim(times)}  ${what}`
    })
  }

  function row(label: string, calls: readonly Replayed[], ink: Row['ink']): Row {
    const start = calls[0]?.start ?? 0
    const cut = sum(gates.filter(gate => (gate.start ?? 0) < start))
    return { label, ink, stretches: [{ start: start - cut, ns: sum(calls) }], scale, ns: sum(calls) }
  }

  /** The wait, and what we did during it for each part. */
  function gate(call: Replayed): Row[] {
    const [from, to] = [call.at ?? 0, (call.at ?? 0) + call.ns]
    // we may get the child's message while the child is still between its write and its read
    const asked = tape[tape.indexOf(call) - 1]?.at ?? from
    const ours = host
      .filter(({ hook, at }) => hook === 'attach' && at >= asked && at < to)
      .map(({ part, at, ns }) => ({ part, took: ns, stretch: within(at - from, at - from + ns, call.ns) }))
    const rest = gaps(
      ours.map(({ stretch }) => stretch),
      call.ns,
    )
    const on = (label: string, stretches: Stretch[], ns: number): Row => {
      return { label, ink: yellow, stretches, scale: call.ns, ns }
    }
    return [
      { label: 'read: the child waits for us', ink: italic, stretches: [], scale: call.ns, ns: call.ns },
      ...ours.map(({ part, took, stretch }) => on(`  we: ${part}`, [stretch], took)),
      on('  waking us, and the child', rest, sum(rest)),
    ]
  }

  function inkOf(calls: readonly Replayed[]): Row['ink'] {
    return calls.every(({ errno }) => errno) ? red : cyan
  }

  function line({ label, ink, stretches, scale, ns }: Row): string {
    const shown = cut(label, names)
    const part = label.startsWith('  ') || label.startsWith('read') ? shown : bold(shown)
    const bars = stretches.length > 0 ? ink(draw(stretches, scale, room)) : dim(ownAxis(scale))
    return `${INDENT}${part}${' '.repeat(names - shown.length)}${dim(micro(ns).padStart(TIME))}  ${bars}`
  }

  /** Begin, middle and end of the scale; without the middle in a narrow window. */
  function axis(scale: number): string {
    const half = micro(scale / 2)
    const left = room < 24 ? ZERO : ZERO + half.padStart(Math.floor((room + half.length) / 2) - ZERO.length)
    return ' '.repeat(width - room) + left + micro(scale).padStart(room - left.length)
  }

  /** Begin and end of a separate scale; in a narrow window only its end. */
  function ownAxis(scale: number): string {
    const ends = room < 24 ? ['┄', '┄'] : [`┄ ${ZERO} `, ` ${micro(scale)} ┄`]
    return `├${ends.join('┄'.repeat(room - 2 - ends.join('').length))}┤`
  }

  function wrapped(text: string): string[] {
    return wrap(text, width - INDENT.length).map(line => INDENT + dim(line))
  }
}
const end = (call: Replayed | undefined) => (call ? (call.start ?? 0) + call.ns : 0)
const sum = (stretches: readonly { ns: number }[]) => stretches.reduce((sum, { ns }) => sum + ns, 0)
const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`
const cut = (text: string, room: number) => (text.length > room ? `${text.slice(0, room - 1)}…` : text)

/**
 * Whether this call is a gate: the child has told us that it is there, and reads the byte that lets it continue. See
 * lib/kernel/tape/gate.ts.
 */
function isGate(call: Replayed, before: Replayed | undefined): boolean {
  return call.call === 'read' && before?.call === 'write' && before.args.includes('"?"')
}

/** Groups calls by part; a gate and the execve each stand alone. */
function chapters(tape: readonly Replayed[], gates: readonly Replayed[]): Replayed[][] {
  const alone = (call: Replayed | undefined) => !call || gates.includes(call) || call.call === 'execve'
  const found: Replayed[][] = []
  for (const call of tape) {
    const group = found.at(-1)
    if (group && !alone(call) && !alone(group[0]) && group[0]?.part === call.part) group.push(call)
    else found.push([call])
  }
  return found
}

/** Groups neighbours for one row: the same call several times, or the same two or three in turn. */
function neighbours(calls: readonly Replayed[]): Replayed[][] {
  const found: Replayed[][] = []
  for (let at = 0; at < calls.length;) {
    const period = [1, 2, 3].find(period => times(calls, at, period) > 1) ?? 1
    const end = at + period * times(calls, at, period)
    found.push(calls.slice(at, end))
    at = end
  }
  return found
}

/** How many times in a row the `period` calls at a position occur. */
function times(calls: readonly Replayed[], at: number, period: number): number {
  const differs = calls.findIndex((call, i) => i >= at + period && call.call !== calls[i - period]?.call)
  return Math.max(1, Math.floor(((differs === -1 ? calls.length : differs) - at) / period))
}

/** A name for calls in `room` columns: `pivot_root(".", ".")`, or for several `mkdirat, mount ×4`. */
function named(calls: readonly Replayed[], room: number): string {
  const names = calls.map(({ call }) => call)
  const [first] = calls
  if (first && calls.length === 1) {
    const outcome = first.errno ? ` = ${first.errno}` : ''
    const args = fit(first.args.replace(/^AT_FDCWD, /, ''), room - first.call.length - 2 - outcome.length)
    return cut(`${first.call}(${args})${outcome}`, room)
  }
  const pattern = names.slice(
    0,
    [1, 2, 3].find(period => times(calls, 0, period) === names.length / period),
  )
  const several = `${pattern.join(', ')} ×${names.length / pattern.length}`
  const refusals = calls.filter(({ errno }) => errno).length
  const whole = refusals ? `${several}, ${refusals} refused` : several
  return whole.length <= room ? whole : cut(several, room)
}

/** The part of a span that is between 0 and `whole`. */
function within(from: number, to: number, whole: number): Stretch {
  const start = Math.min(Math.max(0, from), whole)
  return { start, ns: Math.min(Math.max(start, to), whole) - start }
}

/** The spans of `whole` that are in none of the stretches. */
function gaps(stretches: readonly Stretch[], whole: number): Stretch[] {
  const edges = [0, ...stretches.flatMap(({ start, ns }) => [start, start + ns]), whole]
  const pairs = edges.flatMap((start, i) => (i % 2 ? [] : [{ start, ns: (edges[i + 1] ?? start) - start }]))
  return pairs.filter(({ ns }) => ns > 0)
}

/** What we did before the clone3. */
function before(host: readonly HostWork[], clone: Replayed | undefined): string[] {
  const prepared = host.filter(({ hook, at }) => hook === 'prepare' && at < (clone?.at ?? 0))
  // an earlier start of the same step has prepared for itself
  const own = prepared.filter(({ part, at }) => !prepared.some(later => later.part === part && later.at > at))
  if (own.length === 0) return []
  return [`before it, on the host: ${own.map(({ part, ns }) => `${part} ${micro(ns)}`).join(', ')}`]
}

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** Bars in `room` columns, each at its beginning and as long as its time, to an eighth of a column; a shorter time gets that eighth. */
function draw(stretches: readonly Stretch[], scale: number, room: number): string {
  const cells = Array.from({ length: room }, () => ' ')
  for (const { start, ns } of stretches) {
    const eighths = Math.max(1, Math.round((ns / scale) * room * 8))
    const bar = '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '')
    const at = Math.max(0, Math.min(Math.floor((start / scale) * room), room - bar.length))
    cells.splice(at, bar.length, ...Array.from(bar))
  }
  return cells.join('').trimEnd()
}
