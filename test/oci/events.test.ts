// `events` without --stats: what a container uses at each interval, and when it runs out of memory, as runc prints it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Bench } from './bench.ts'
import { lacking, OURS } from './engines.ts'

const lacks = lacking('runc')
describe.skipIf(lacks)(`events${lacks}`, () => {
  let bench: Bench
  beforeAll(() => void (bench = new Bench()))
  afterAll(() => bench[Symbol.dispose]())

  /** The events until the container ends; it runs out of memory once the first statistics are there. */
  async function watched(runtime: string): Promise<{ type: string; id: string; data?: object }[]> {
    const path = bench.bundle(['sleep', '1000'], ({ linux }) => {
      linux.resources = { memory: { limit: 16 << 20, swap: 16 << 20 } }
    })
    expect(bench.start(runtime, 'ev', path)).toBe(0)
    const child = spawn(runtime, ['--root', bench.root(runtime), 'events', '--interval', '500ms', 'ev'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const over = once(child, 'close')
    const events: { type: string; id: string; data?: object }[] = []
    for await (const line of createInterface(child.stdout)) {
      events.push(JSON.parse(line) as (typeof events)[number])
      const { type } = events.at(-1) ?? {}
      // a line that never ends: tail(1) keeps all of it in memory
      if (events.length === 1)
        expect(bench.call(runtime, ['exec', 'ev', 'tail', '/dev/zero']).status).toBe(137)
      if (type === 'oom') expect(bench.call(runtime, ['delete', '--force', 'ev']).status).toBe(0)
    }
    expect(await over).toEqual([0, null])
    return events
  }

  test('as runc: statistics at each interval, and memory that ran out, until the container ends', async () => {
    for (const runtime of ['runc', OURS]) {
      const events = await watched(runtime)
      const oom = events.filter(({ type }) => type === 'oom')
      expect(oom).toEqual([{ type: 'oom', id: 'ev' }])
      for (const event of events.filter(({ type }) => type !== 'oom'))
        expect(event).toMatchObject({ type: 'stats', id: 'ev', data: { memory: {}, cpu: {}, pids: {} } })
      expect(events[0]?.type).toBe('stats')
    }
  })

  test.each(['0', '5x', '-1s', 's', ''])('an interval of "%s" is refused', interval => {
    const { status, stderr } = bench.oci('events', `--interval=${interval}`, 'no')
    expect([status, stderr]).toEqual([1, expect.stringContaining('is no interval: as 5s, 1m30s or 500ms')])
  })
})
