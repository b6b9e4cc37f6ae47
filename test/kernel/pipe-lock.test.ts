import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PipeLock } from '../../lib/kernel/pipe-lock.ts'
import { processExists, status } from '../../lib/kernel/procfs.ts'
import { until } from '../../lib/kernel/until.ts'

/** A process that opens the FIFO again and again, until it sleeps in that. */
async function opener() {
  const child = spawn('sh', ['-c', `while :; do : > ${fifo}; done`])
  const isAsleep = () => status(child.pid!).State!.startsWith('D')
  let looks = 0
  const held = await until(() => (looks = isAsleep() ? looks + 1 : 0) >= 20, 30_000)
  return { child, held, isAsleep }
}

const folder = mkdtempSync(join(tmpdir(), 'minilab-pipe-lock-'))
const fifo = join(folder, 'fifo')
beforeAll(() => void execFileSync('mkfifo', [fifo]))
afterAll(() => rmSync(folder, { recursive: true }))

test('who opens the FIFO sleeps in the kernel, also through a SIGKILL, until the lock is released', async () => {
  await using lock = new PipeLock(fifo, 60)
  const { child, held, isAsleep } = await opener()
  expect(held).toBe(true)
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await until(() => !processExists(child.pid!), 200)
  expect(isAsleep()).toBe(true)
  lock.release()
  expect(await ended).toEqual([null, 'SIGKILL'])
})

test('the kernel releases it by itself after the seconds that were given', async () => {
  await using _ = new PipeLock(fifo, 3)
  const { child, held } = await opener()
  expect(held).toBe(true)
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  expect(await ended).toEqual([null, 'SIGKILL'])
})
