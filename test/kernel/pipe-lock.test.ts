import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { PipeLock } from '../../lib/kernel/process/pipe-lock.ts'
import { processExists, status } from '../../lib/kernel/process/procfs.ts'
import { until } from '../../lib/common/until.ts'

/** A process that opens the pipe again and again, until it sleeps in that. */
async function opener(fd: number) {
  const child = spawn('sh', ['-c', 'while :; do : </proc/self/fd/3; done'], {
    stdio: ['ignore', 'ignore', 'ignore', fd],
  })
  const isAsleep = () => status(child.pid!).State!.startsWith('D')
  let looks = 0
  const held = await until(() => (looks = isAsleep() ? looks + 1 : 0) >= 20, 30_000)
  return { child, held, isAsleep }
}

test('a process that opens the pipe sleeps in the kernel, also through a SIGKILL, until the lock is released', async () => {
  await using lock = new PipeLock(60)
  const { child, held, isAsleep } = await opener(lock.fd)
  expect(held).toBe(true)
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await until(() => !processExists(child.pid!), 200)
  expect(isAsleep()).toBe(true)
  lock.release()
  expect(await ended).toEqual([null, 'SIGKILL'])
})

test('the kernel releases it by itself after the seconds that were given', async () => {
  await using lock = new PipeLock(3)
  const { child, held } = await opener(lock.fd)
  expect(held).toBe(true)
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  expect(await ended).toEqual([null, 'SIGKILL'])
})
