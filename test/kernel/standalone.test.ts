import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, readlinkSync, writeSync } from 'node:fs'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { logPump, startLogPump } from '../../lib/container/streams/log-pump.ts'
import { encodeFrame, LogReader } from '../../lib/container/streams/log.ts'
import { errnoNumber } from '../../lib/common/errno.ts'
import { SEEK_CUR, SEEK_SET } from '../../lib/kernel/syscalls/constants.ts'
import { keepInherited } from '../../lib/kernel/process/inherited.ts'
import { pipe } from '../../lib/kernel/process/pipe.ts'
import { descriptors, status } from '../../lib/kernel/process/procfs.ts'
import { closeTape, startStandalone } from '../../lib/kernel/tape/standalone.ts'
import { Label, Tape } from '../../lib/kernel/tape/tape.ts'
import { isRoot } from '../support/minilab.ts'
import { interpret } from './interpret.ts'
import { folder, runToItsEnd } from './replay.ts'
import { noStrace } from '../support/strace.ts'

/** An open file whose position is a counter, and a tape that adds to it until it is above a limit. */
function counting(): { tape: Tape; fd: number } {
  const fd = openSync(join(folder(), 'counter'), 'w+')
  onTestFinished(() => closeSync(fd))
  const tape = new Tape()
  const [again, above, never] = [new Label('again'), new Label('above'), new Label('never')]
  tape.mark(again)
  tape.branch({ max: 20n, over: above }).lseek(fd, 7, SEEK_CUR)
  tape.thenGoTo(again).getpid()
  tape.mark(above)
  tape.branch({ min: 0n, under: never }).lseek(fd, -100, SEEK_CUR)
  tape.exit_group(1)
  tape.mark(never)
  tape.exit_group(0)
  return { tape, fd }
}

test('a tape branches below its least result, and above its greatest', async () => {
  const { tape, fd } = counting()
  const { exit } = await runToItsEnd(tape)
  expect(exit).toEqual({ status: 0, signal: null })
  const look = new Tape()
  const at = look.lseek(fd, 0, SEEK_CUR)
  look.lseek(fd, at, SEEK_SET)
  look.exit_group(0)
  expect((await runToItsEnd(look)).replayed[0]).toMatchObject({ result: 21 })
})

test('a tape with branches is printed with its labels', () => {
  expect(
    counting()
      .tape.print()
      .map(line => line.replace(/\(\d+/, '(FD')),
  ).toEqual([
    'again:',
    'lseek(FD, 7, SEEK_CUR) > 20 → above',
    'getpid() → again',
    'above:',
    'lseek(FD, -100, SEEK_CUR) < 0 → never',
    'exit_group(FD)',
    'never:',
    'exit_group(FD)',
  ])
})

test('a process that is nothing but a tape has only its descriptors, its own session and little memory', async () => {
  keepInherited()
  const { read, write } = pipe()
  const tape = new Tape()
  closeTape(tape)
  tape.readByte(0)
  tape.exit_group(7)
  const child = await startStandalone(tape, 'minilab-test', [read])
  closeSync(read)
  await expect.poll(() => Object.keys(descriptors(child.pid))).toEqual(['0']) // its first call closes the tape's
  expect(readlinkSync(`/proc/${child.pid}/exe`)).toBe('/memfd:minilab (deleted)')
  expect(readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(' ')[5]).toBe(String(child.pid)) // its session
  expect(Number.parseInt(status(child.pid).VmRSS ?? '')).toBeLessThanOrEqual(24) // kB
  writeSync(write, '.')
  closeSync(write)
  expect(await child.exit).toEqual({ status: 7, signal: null })
})

/** A pump, and the pipe that it reads. We keep the pipe's read end: the pump may end before all is written, without EPIPE for us. */
async function startPump() {
  keepInherited()
  const log = join(folder(), 'log')
  const { read, write } = pipe()
  const child = await startLogPump(read, log, 'stdout')
  const close = () => [read, write].forEach(fd => closeSync(fd))
  return { child, log, write, close }
}

test('a log pump writes each piece as it comes, and that the stream has ended', async () => {
  const { child, log, write, close } = await startPump()
  const text = Buffer.from('x'.repeat(100_000) + '\n')
  for (let at = 0; at < text.length;) at += writeSync(write, text, at)
  close()
  expect(await child.exit).toEqual({ status: 0, signal: null })
  using reader = new LogReader(log)
  const parts: string[] = []
  for (const record of reader.records()) parts.push(record.text.toString())
  expect(parts.join('')).toBe('x'.repeat(100_000))
  expect([...reader.ended]).toEqual(['stdout'])
})

test('its frames are what encodeFrame writes', async () => {
  const { child, log, write, close } = await startPump()
  writeSync(write, 'hello\n')
  close()
  await child.exit
  const theirs = readFileSync(log)
  const magic = theirs.subarray(8, 15)
  const ours = Buffer.concat([
    theirs.subarray(0, 16), // what each log begins with
    encodeFrame('stdout', 16, 6, Buffer.from('hello\n'), { magic }),
    encodeFrame('stdout', 70, 6, Buffer.alloc(0), { magic }),
  ])
  for (const at of [48, 102]) for (const bytes of [ours, theirs]) bytes.fill(0, at, at + 16) // the times
  expect(theirs).toEqual(ours)
})

/** A call as strace prints it. */
interface Traced {
  call: string
  result: bigint | undefined
}

const FAULTS = ['read', 'lseek', 'flock', 'clock_gettime', 'writev'].flatMap(call =>
  ['error=EINTR', 'error=ENOSPC', 'retval=3'].map(fault => ({ call, fault })),
)

test.skipIf(!isRoot || noStrace !== '').for(FAULTS)(
  `the interpreter agrees with the machine code where $call has the $fault${noStrace}`,
  async ({ call, fault }) => {
    const { child, log, write, close } = await startPump()
    const trace = `${log}.trace`
    const strace = spawn(
      'strace',
      ['-p', String(child.pid), '-o', trace, '-e', `inject=${call}:${fault}:when=2`],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    )
    await once(strace.stderr, 'data') // attached
    for (const text of ['one\n', 'two\n', 'three\n']) writeSync(write, text)
    close()
    const [exit] = await Promise.all([child.exit, once(strace, 'exit')])
    const calls = readFileSync(trace, 'utf8')
      .split('\n')
      .flatMap((line): Traced[] => {
        const [, name = '', result = '', code] = /^(\w+)\(.*\) += (-?\d+|\?)(?: (E[A-Z]+))?/.exec(line) ?? []
        if (!name || name === 'restart_syscall') return []
        const value = code ? -BigInt(errnoNumber(code)) : result === '?' ? undefined : BigInt(result)
        return [{ call: name, result: value }]
      })
    // what it was in when strace came is shown, or what came next
    const begun = ['close', 'read', 'lseek'].indexOf(calls[0]?.call ?? '')
    const made = interpret(logPump('stdout'), (_, number) => calls[number]?.result, begun)
    expect(made.map(op => op.call)).toEqual(calls.map(one => one.call))
    expect(exit).toEqual({ status: 0, signal: null })
    expect(calls.length).toBeGreaterThan(6)
  },
)
