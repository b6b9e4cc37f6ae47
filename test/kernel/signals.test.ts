import { closeSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { AT_FDCWD } from '../../lib/kernel/syscalls/constants.ts'
import { hearSignals } from '../../lib/kernel/process/hear-signals.ts'
import { launch } from '../../lib/kernel/tape/launch.ts'
import { POLLIN, ready, Wake } from '../../lib/kernel/process/poll.ts'
import { findProcess } from '../../lib/kernel/process/signal.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'

test('every signal that can be caught is heard, real-time ones too, and none after the end', async () => {
  const heard: number[] = []
  {
    using _ = hearSignals(signal => heard.push(signal))
    const sent = [1, 10, 12, 14, 15, 28, 34, 44, 64]
    for (const signal of sent) process.kill(process.pid, signal)
    await expect.poll(() => [...heard].sort((a, b) => a - b)).toEqual(sent)
  }
  process.kill(process.pid, 'SIGWINCH')
  expect(heard).toHaveLength(9)
})

test('the number of a thread is no process', () => {
  const thread = readdirSync('/proc/self/task')
    .map(Number)
    .find(tid => tid !== process.pid)!
  expect(findProcess(thread)).toBeUndefined()
  const own = findProcess(process.pid)
  expect(own).toBeGreaterThan(2)
  closeSync(own!)
})

test('a refusal that is allowed does not end the child; any other does', async () => {
  const tape = new Tape()
  tape.allow('EEXIST').mkdirat(AT_FDCWD, '/tmp', 0o755)
  tape.allow('ENOENT', 'ENOTDIR').openat(AT_FDCWD, '/etc/passwd/x', 0, 0)
  tape.allow('ENOENT', 'ENOTDIR').openat(AT_FDCWD, '/nowhere/x', 0, 0)
  tape.ifThere.openat(AT_FDCWD, '/nowhere', 0, 0)
  tape.allow('ENOENT').kill(1, 99) // EINVAL
  tape.exit_group(0)
  const replayed = await launch(tape).replayed
  expect(replayed.map(({ errno }) => errno)).toEqual(['EEXIST', 'ENOTDIR', 'ENOENT', 'ENOENT', 'EINVAL'])
})

test('waiting for a descriptor ends when it is ready, after a time, or when it is called off', async () => {
  using wake = new Wake()
  using other = new Wake()
  expect(await ready(other.fd, POLLIN, 1)).toBe(false)
  const waiting = ready(other.fd, POLLIN, -1, wake)
  wake.call()
  expect(await waiting).toBe(false)
  other.call() // its writing end is closed
  expect(await ready(other.fd, POLLIN)).toBe(true)
})
