import { describe, expect, test } from 'vitest'
import { counted, fit, micro, wrap } from '../../lib/guide/text.ts'

test('a duration is told in microseconds, from a thousand on in milliseconds', () => {
  expect([0, 2200, 12_345, 999_400, 1_300_000].map(micro)).toEqual([
    '0.0 µs',
    '2.2 µs',
    '12 µs',
    '999 µs',
    '1.3 ms',
  ])
})

test('one thing is counted in the singular, none and several in the plural', () => {
  expect([0, 1, 2].map(count => counted(count, 'link'))).toEqual(['0 links', '1 link', '2 links'])
  expect(['process', 'entry', 'day'].map(thing => counted(2, thing))).toEqual([
    '2 processes',
    '2 entries',
    '2 days',
  ])
})

test('a paragraph is broken between words, never inside a word or inside backquotes', () => {
  expect(wrap('one two  three\nfour', 9)).toEqual(['one two', 'three', 'four'])
  expect(wrap('say `ls -l /tmp` now', 8)).toEqual(['say', '`ls -l /tmp`', 'now'])
  expect(wrap('', 9)).toEqual([])
})

describe('arguments that do not fit', () => {
  const args = '"/sys/fs/cgroup/memory/minilab/x/memory.limit_in_bytes", "67108864"'
  test('lose the upper folders of a path first: the file and the value are what matters', () => {
    expect(fit(args, args.length)).toBe(args)
    expect(fit(args, 56)).toBe('"…/memory/minilab/x/memory.limit_in_bytes", "67108864"')
    expect(fit(args, 45)).toBe('"…/x/memory.limit_in_bytes", "67108864"')
  })

  test('and are cut off at the end when no folder is left to lose', () => {
    expect(fit(args, 20)).toBe('"…/memory.limit_in…"')
    expect(fit('MS_REC|MS_PRIVATE, NULL', 12)).toBe('MS_REC|MS_P…')
    expect(fit('"shm", "tmpfs"', 9)).toBe('"shm", …') // no quote that was not opened
    expect(fit('abcdefghijkl', 3)).toBe('abcdefgh…') // enough to recognise it by
  })
})
