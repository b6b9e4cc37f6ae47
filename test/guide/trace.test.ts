import { describe, expect, test } from 'vitest'
import { type Trace, trace } from '../../lib/guide/trace.ts'
import { nanoseconds, rowsOf, traceProblems } from '../support/trace-format.ts'
import { example, tapeOf } from './timeline.ts'

test('one row for us and one for each child, in the order of their clone3', () => {
  const made = trace(example())
  expect(traceProblems(made)).toEqual([])
  const rows = rowsOf(made).map(({ name, slices }) => [name, ...slices.map(slice => slice.name)])
  expect(rows).toEqual([
    ['we, on the host', 'limits: prepare', 'namespaces: attach', 'limits: attach'],
    ['own', 'own', 'clone3', 'write', 'read', 'open_tree', 'mkdirat', 'mount', 'mkdirat', 'mount', 'pivot_root', 'unshare', 'execve'],
    ['visit', 'visit', 'setns', 'exit_group'],
  ]) // oxfmt-ignore
})

test('a call is told with its part, its arguments and what the kernel answered', () => {
  const [, own] = rowsOf(trace(example()))
  expect(own!.slices[5]).toMatchObject({
    cat: 'root',
    name: 'mkdirat',
    args: { call: 'mkdirat() = -1 EEXIST', result: -1, errno: 'EEXIST' },
  })
  expect(own!.slices.at(-1)).toMatchObject({
    cat: 'process',
    args: { call: 'execve("/bin/sh", ["/bin/sh"]) = ?', result: null },
  })
  expect(own!.slices[1]).toMatchObject({ cat: 'clone', args: { call: 'clone3({flags=0}) = 42' } })
})

test('the first thing is at 0, and every nanosecond is where it was', () => {
  const timeline = example()
  const [host, own] = rowsOf(trace(timeline))
  expect(host!.slices[0]!.ts).toBe(0)
  const [whole, clone, ...calls] = own!.slices
  expect(nanoseconds(whole!.ts)).toBe(3000) // the preparation began that much earlier
  expect([nanoseconds(clone!.ts), nanoseconds(clone!.dur)]).toEqual([3000, 1000])
  expect(calls.map(({ ts }) => nanoseconds(ts) - 3000)).toEqual(timeline.own.tape.map(({ start }) => start))
  expect(nanoseconds(whole!.dur)).toBe(10_000)
})

test('times of any length keep their nanoseconds, however they are rounded on the way', () => {
  const lengths = Array.from({ length: 3000 }, (_, i) => 1 + ((i * 7919) % 100_003))
  const tape = tapeOf(123_456_789_012, 17, lengths.map(ns => ['', 'read', ns])) // oxfmt-ignore
  const made = trace({ ...example(), own: { purpose: 'long', tape }, launches: [], host: [] })
  expect(traceProblems(made)).toEqual([])
  const [, { slices } = { slices: [] }] = rowsOf(JSON.parse(JSON.stringify(made)) as Trace)
  expect(slices.slice(1).map(({ dur }) => nanoseconds(dur))).toEqual(lengths)
})

test('a step in which nothing was launched is an empty trace', () => {
  const made = trace({ ...example(), own: undefined, launches: [], host: [] })
  expect(traceProblems(made)).toEqual([])
  expect(rowsOf(made)).toEqual([{ name: 'we, on the host', slices: [] }])
})

describe('the rules are rules', () => {
  const broken: [string, (made: Trace) => void, RegExp][] = [
    [
      'an overlap',
      ({ traceEvents: e }) =>
        Object.assign(
          e.findLast(x => x.ph === 'X')!,
          { dur: 99 },
        ),
      /overlap/,
    ],
    ['a time that is none', ({ traceEvents: e }) => Object.assign(e.at(-1)!, { ts: Number.NaN }), /no time/],
    [
      'a row without a name',
      made => (made.traceEvents = made.traceEvents.filter(e => e.name !== 'thread_name')),
      /no name/,
    ],
    ['another kind', ({ traceEvents: e }) => Object.assign(e.at(-1)!, { ph: 'Z' }), /neither X nor M/],
    [
      'metadata unheard of',
      ({ traceEvents: e }) => Object.assign(e[0]!, { name: 'title' }),
      /no such metadata/,
    ],
  ]
  test.each(broken)('%s', (_, breaks, rule) => {
    const made = trace(example())
    breaks(made)
    expect(traceProblems(made).join('\n')).toMatch(rule)
  })
})
