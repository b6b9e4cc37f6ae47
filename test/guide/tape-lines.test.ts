import { expect, test } from 'vitest'
import { lines } from '../../lib/guide/tape-lines.ts'
import type { Replayed } from '../../lib/kernel/tape/tape.ts'

const op = (call: string, args: string, part = 'root', errno: string | null = null): Replayed => ({
  call,
  args,
  part,
  errno,
  result: errno ? -1 : 0,
  ns: 1000,
})
const texts = (...[tape, choice]: Parameters<typeof lines>) =>
  lines(tape, choice).map(line => ('summary' in line ? line.summary : `${line.call} ${line.args}`))

const DEVICES = ['null', 'zero', 'full', 'random', 'tty']
const bound = DEVICES.flatMap(name => [op('mknodat', name), op('move_mount', name)])

test('the same two calls for one file after the other: the first, the last, and how many are between', () => {
  expect(texts(bound)).toEqual([
    'mknodat null',
    'move_mount null',
    '… 6 more of these calls, 10 µs in all',
    'mknodat tty',
    'move_mount tty',
  ])
  expect(texts(bound.slice(0, 6))).toHaveLength(6) // three are read as fast as a summary of them
})

test('a call that matters is printed, wherever it stands', () => {
  const shown = texts(bound, { matters: ({ args }) => args === 'full' })
  expect(shown).toContain('mknodat full')
  expect(shown).toContain('move_mount full')
})

test('one call with other arguments each time is no repetition', () => {
  expect(texts(DEVICES.flatMap(name => [op('write', name), op('write', `${name} again`)]))).toHaveLength(10)
})

test('another outcome is no repetition', () => {
  const refused = bound.with(4, op('mknodat', 'full', 'root', 'EEXIST'))
  expect(texts(refused)).toContain('mknodat full')
})

test('what is told elsewhere is counted, run by run', () => {
  const tape = [op('setsid', '', 'process'), ...bound, op('execve', '', 'process')]
  const elsewhere = ({ part, call }: Replayed) =>
    part === 'process' ? part : call === 'mknodat' ? 'shown in stage 4' : undefined
  expect(texts(tape, { elsewhere }).slice(0, 3)).toEqual([
    '… process: 1 call, 1.0 µs',
    '… shown in stage 4: 1 call, 1.0 µs',
    'move_mount null',
  ])
})
