import { Chalk } from 'chalk'
import { describe, expect, test } from 'vitest'
import { waterfall } from '../../lib/guide/waterfall.ts'
import { example, tapeOf } from './timeline.ts'

const plain = new Chalk({ level: 0 })
const BLOCKS = ' ▏▎▍▌▋▊▉█'

/** The bar of a row: where it begins, in columns from where bars begin, and how long it is, in eighths of a column. */
interface Bar {
  label: string
  begin: number
  eighths: number
}

/** The rows of a waterfall that have a bar, and how many columns there are for bars. */
function read(lines: string[]): { bars: Bar[]; room: number } {
  const gate = lines.find(line => line.includes('├┄'))!
  const column = gate.indexOf('├')
  const bars = lines
    .filter(line => /^ {3}.*µs {2}[ ▏▎▍▌▋▊▉█]*[▏▎▍▌▋▊▉█]$/.test(line))
    .map(line => {
      const bar = line.slice(column)
      const begin = bar.search(/\S/)
      const eighths = Array.from(bar).reduce((sum, block) => sum + BLOCKS.indexOf(block), 0)
      return {
        label: line
          .slice(0, column)
          .replace(/\s+[\d.]+ µs\s*$/, '')
          .trim(),
        begin,
        eighths,
      }
    })
  return { bars, room: gate.length - column }
}

describe.each([60, 80, 88, 120])('in %i columns', width => {
  const lines = waterfall(example(), { width, ink: plain })

  test('no line is longer', () => {
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(width)
    expect(lines.every(line => !/[\x00-\x1f]/.test(line))).toBe(true) // eslint-disable-line no-control-regex
  })

  test('each scale has its ends, with their unit', () => {
    const isWide = width >= 80
    const axis = lines.find(line => /^ +0 µs /.test(line))!
    expect(axis).toMatch(isWide ? /^ +0 µs +4\.0 µs +8\.0 µs$/ : /^ +0 µs +8\.0 µs$/)
    expect(lines.find(line => line.includes('├┄'))).toMatch(isWide ? /├┄ 0 µs ┄+ [\d.]+ [µm]s ┄┤$/ : /├┄+┤$/)
  })

  test('clone3 first, then part by part, execve last', () => {
    const names = read(lines).bars.map(({ label }) => label.split(/[ (]/)[0])
    expect(names).toEqual([
      'clone3', 'process', 'we:', 'we:', 'waking', 'root', 'open_tree', 'mkdirat,', 'pivot_root', 'limits', 'execve',
    ]) // oxfmt-ignore
  })

  test('bars are as long as their calls, and begin where those before them end', () => {
    const { bars, room } = read(lines)
    const bar = (label: string) => bars.find(bar => bar.label.startsWith(label))!
    // of 8000 ns that the child did not wait
    const lengths = {
      clone3: 1000,
      process: 200,
      'root ': 3200,
      open_tree: 1600,
      mkdirat: 800,
      pivot: 800,
      limits: 400,
      execve: 3200,
    }
    for (const [label, ns] of Object.entries(lengths))
      expect(Math.abs(bar(label).eighths - (ns / 8000) * room * 8), label).toBeLessThanOrEqual(1)
    const begins = {
      clone3: 0,
      process: 1000,
      'root ': 1200,
      open_tree: 1200,
      mkdirat: 2800,
      pivot: 3600,
      limits: 4400,
      execve: 4800,
    }
    for (const [label, start] of Object.entries(begins))
      expect(bar(label).begin, label).toBe(Math.floor((start / 8000) * room))
    // of the wait's 2000
    expect(Math.abs(bar('we: limits').eighths - 2 * bar('we: namespaces').eighths)).toBeLessThanOrEqual(2)
    expect(bar('we: limits').begin).toBe(Math.floor((600 / 2000) * room))
  })
})

test('what it says in words', () => {
  const text = waterfall(example(), { width: 120, ink: plain }).join('\n')
  expect(text).toContain('Where the 10 µs of this start went')
  expect(text).toContain('before it, on the host: limits 2.5 µs')
  expect(text).toMatch(/read: the child waits for us +2\.0 µs/)
  expect(text).toMatch(/waking us, and the child +0\.5 µs/)
  expect(text).toMatch(/mkdirat, mount ×2, 1 refused +0\.8 µs/)
  expect(text).toMatch(
    /3\.2 µs +40 % +execve.*\n +1\.6 µs +20 % +open_tree\("\/dev\/null".*\n +1\.0 µs +13 % +clone3/,
  )
  expect(text).toContain('10 calls by the child')
})

test('what is far too short to see is seen all the same, and a long name does not break the columns', () => {
  const { own, ...rest } = example()
  const tape = tapeOf(own.clone!.at!, 1_000_000, [
    ['root', 'open_tree', 1, { args: `"${'/very/long'.repeat(50)}", "${'x'.repeat(500)}"` }],
    ['root', `${'y'.repeat(90)}`, 1],
    ['process', 'execve', 40_000_000],
  ])
  for (const width of [40, 60, 80]) {
    const lines = waterfall({ ...rest, own: { ...own, tape } }, { width, ink: plain })
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(width)
    // clone3, the part, and its two calls
    expect(lines.filter(line => line.endsWith(' ▏'))).toHaveLength(4)
  }
})
