import { closeSync, readSync, writeSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { carry, ourEnd } from '../../lib/container/streams/carry.ts'
import { F_GETPIPE_SZ } from '../../lib/kernel/syscalls/constants.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'
import { pipe } from '../../lib/kernel/process/pipe.ts'
import { Wake } from '../../lib/kernel/process/poll.ts'

test('what fills the pipe again while the last chunk is written arrives, too', async () => {
  const { read, write } = pipe()
  onTestFinished(() => [read, write].forEach(closeSync))
  using wake = new Wake()
  const full = Buffer.alloc(now.fcntl(read, F_GETPIPE_SZ, 0), 'x')
  writeSync(write, full)
  let [arrived, calls] = [0, 0]
  const put = async (bytes: Buffer) => {
    arrived += bytes.length
    if (calls++) return
    writeSync(write, full) // the program writes as much again, and ends
    wake.call()
  }
  await carry(ourEnd(read), put, wake)
  expect(arrived).toBe(2 * full.length)
})

test('a writer that goes on after the end keeps nobody', async () => {
  const { read, write } = pipe()
  onTestFinished(() => [read, write].forEach(closeSync))
  using wake = new Wake()
  const size = now.fcntl(read, F_GETPIPE_SZ, 0)
  const chunk = Buffer.alloc(4096, 'x')
  writeSync(write, chunk)
  let arrived = 0
  const put = async (bytes: Buffer) => {
    arrived += bytes.length
    writeSync(write, chunk) // always more to read
    wake.call()
  }
  await carry(ourEnd(read), put, wake)
  expect(arrived).toBeLessThanOrEqual(size + 2 * chunk.length)
  expect(readSync(read, Buffer.alloc(8192))).toBe(chunk.length)
})
