import { existsSync, readdirSync } from 'node:fs'
import { constants } from 'node:os'
import { describe, expect, test } from 'vitest'
import { Child } from '../../lib/kernel/process/child.ts'
import * as c from '../../lib/kernel/syscalls/constants.ts'
import { Gate } from '../../lib/kernel/tape/gate.ts'
import { launch } from '../../lib/kernel/tape/launch.ts'
import { int32s, now } from '../../lib/kernel/syscalls/now.ts'
import { descriptors } from '../../lib/kernel/process/procfs.ts'
import { Arena } from '../../lib/kernel/syscalls/arena.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'
import { play, visit } from '../../lib/kernel/tape/visit.ts'
import { atGate, folder, refusal, runToItsEnd } from './replay.ts'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString().replace(/\0+$/, '')

describe('a tape', () => {
  test('hands a result on to every later call that asks for it', async () => {
    const tape = new Tape()
    const stat = new Uint8Array(64)
    const file = tape.openat(c.AT_FDCWD, '/proc/self/stat', c.O_RDONLY, 0)
    tape.read(file, stat, stat.length)
    const copy = tape.fcntl(file, c.F_DUPFD_CLOEXEC, 100)
    tape.close(file)
    tape.close(copy)
    tape.attempt.close(file)
    const { replayed, pid } = await runToItsEnd(tape)
    const [opened, , copied] = replayed.map(({ result }) => result)
    expect(text(stat)).toMatch(new RegExp(`^${pid} \\(`)) // the child read of itself, through that descriptor
    expect(copied).toBeGreaterThanOrEqual(100)
    expect(replayed.map(({ call, args, errno }) => [call, args, errno]).slice(2)).toEqual([
      ['fcntl', `${opened}, F_DUPFD_CLOEXEC, 100`, null],
      ['close', `${opened}`, null],
      ['close', `${copied}`, null],
      ['close', `${opened}`, 'EBADF'],
    ])
  })

  test('goes on after a refused attempt, and ends with 127 at a refused call', async () => {
    const root = folder()
    const tape = new Tape()
    tape.attempt.mkdirat(c.AT_FDCWD, root, 0o755)
    tape.mkdirat(c.AT_FDCWD, `${root}/made`, 0o755)
    tape.chdir(`${root}/missing`)
    tape.mkdirat(c.AT_FDCWD, `${root}/never`, 0o755)
    const { replayed, exit } = await runToItsEnd(tape)
    expect(replayed.map(({ result, errno }) => [result, errno])).toEqual([
      [-1, 'EEXIST'],
      [0, null],
      [-1, 'ENOENT'],
    ])
    expect(exit).toEqual({ status: 127, signal: null })
    expect(readdirSync(root)).toEqual(['made'])
  })

  test('says which call was refused: its arguments, its error, its place', async () => {
    const tape = new Tape()
    tape.getpid()
    tape.mount('none', '/minilab-has-no-such-folder', 'tmpfs', c.MS_NOSUID | c.MS_NODEV, 'size=64k')
    const error = await refusal(tape, c.CLONE_NEWUSER | c.CLONE_NEWNS)
    expect(error.message).toBe(
      'mount("none", "/minilab-has-no-such-folder", "tmpfs", MS_NOSUID|MS_NODEV, "size=64k") = -1 ENOENT (no such file or directory) (call 2 of 3)',
    )
    const { call, code, errno } = error
    expect({ call, code, errno }).toEqual({ call: 'mount', code: 'ENOENT', errno: constants.errno.ENOENT })
  })

  test('says so when the child was killed in the midst of it', async () => {
    const tape = new Tape()
    tape.kill(tape.getpid(), constants.signals.SIGKILL)
    const error = await refusal(tape)
    expect(error.message).toMatch(/^kill\(\d+, 9\) = -1 EINTR .* \(call 2 of 3\)$/)
    expect(error.diagnosis?.cause).toContain('a signal killed the child')
  })

  test('takes a refusal for a result where the call may be refused', async () => {
    const tape = new Tape()
    tape.chdir('/minilab-has-no-such-folder')
    const replayed = await play(tape, 0, ['chdir'])
    expect(replayed.map(({ call, errno }) => [call, errno])).toEqual([['chdir', 'ENOENT']])
  })

  test('can become another process half-way: the first leaves, the second goes on', async () => {
    const tape = new Tape()
    const second = new Uint8Array(4)
    tape.getpid()
    tape.unshare(c.CLONE_NEWUSER | c.CLONE_NEWPID) // a pid namespace takes in only children made afterwards
    const flags = c.CLONE_VM + c.CLONE_VFORK + c.CLONE_PARENT + c.CLONE_PARENT_SETTID
    tape.become({ flags, parentTid: second })
    tape.getpid()
    tape.exit_group(3)
    const { replayed, exit, pid } = await runToItsEnd(tape)
    const [secondPid = 0] = int32s(second)
    expect(replayed.map(({ call, result }) => [call, result])).toEqual([
      ['getpid', pid],
      ['unshare', 0],
      ['clone3', secondPid],
      ['getpid', 1],
      ['exit_group', null],
    ])
    expect(exit).toEqual({ status: 0, signal: null })
    expect(await new Child(secondPid, now.pidfd_open(secondPid, 0)).exit).toEqual({ status: 3, signal: null })
  })

  test('reports times that add up: no more than passed here, no less than the child had to wait', async () => {
    const began = process.hrtime.bigint()
    const { gate, replayed, clone } = await atGate(0)
    const reached = process.hrtime.bigint()
    while (process.hrtime.bigint() - reached < 20_000_000n);
    const waited = Number(process.hrtime.bigint() - reached)
    gate.pass()
    const record = await replayed
    const passed = Number(process.hrtime.bigint() - began)
    const ns = (calls: string[]) =>
      record.filter(({ call }) => calls.includes(call)).reduce((sum, op) => sum + op.ns, 0)
    expect(record.every(op => op.ns >= 0)).toBe(true)
    // a hundredth for two clocks that are never quite the same
    expect(ns(['write', 'read'])).toBeGreaterThan(waited * 0.99)
    expect(ns(['close', 'write', 'read', 'exit_group']) + clone.ns).toBeLessThan(passed * 1.01)
  })

  test('is replayed by many children at once, each with its own results', async () => {
    const runs = await Promise.all(
      Array.from({ length: 24 }, async () => {
        const tape = new Tape()
        tape.getpid()
        return runToItsEnd(tape)
      }),
    )
    expect(runs.map(({ replayed }) => replayed[0]?.result)).toEqual(runs.map(({ pid }) => pid))
    expect(new Set(runs.map(({ pid }) => pid)).size).toBe(24)
  })

  test('takes as many arguments as execve(2) does, at each place of a PATH', async () => {
    const args = ['true', ...Array<string>(16).fill('x'.repeat(100_000))]
    const tape = new Tape()
    for (const folder of ['/1', '/2', '/3', '/4', '/5', '/6']) tape.attempt.execve(`${folder}/true`, args, [])
    tape.execve('/bin/true', args, [])
    const { exit } = await runToItsEnd(tape)
    expect(exit).toEqual({ status: 0, signal: null })
  })

  test('that clone3 refuses was never begun', async () => {
    const launched = launch(new Tape(), c.CLONE_FS | c.CLONE_NEWNS) // the two exclude each other
    await expect(launched.replayed).rejects.toThrow(/^clone3\(\{flags=.*CLONE_NEWNS.*\}\) = -1 EINVAL/)
    await play(new Tape()) // and what others do afterwards is not taken for it
    expect([launched.pid(), launched.pidfd()]).toEqual([0, -1])
  })

  test('leaves us as we were: no descriptor, no process, dumpable again', async () => {
    await play(new Tape())
    const before = descriptors('self')
    const gate = new Gate()
    const tape = new Tape()
    gate.record(tape)
    tape.exit_group(0)
    const launched = launch(tape, c.CLONE_NEWUSER | c.CLONE_NEWUTS)
    expect(await gate.reached()).toBe(true)
    await visit(launched.pid(), ['user', 'uts'], tape => tape.prctl(c.PR_SET_DUMPABLE, 0, 0, 0, 0))
    gate.pass()
    await launched.replayed
    await new Child(launched.pid(), launched.pidfd()).exit
    gate.closeChildEnd()
    gate.close()
    expect(descriptors('self')).toEqual(before)
    expect(existsSync(`/proc/${launched.pid()}`)).toBe(false)
    expect(now.prctl(c.PR_GET_DUMPABLE, 0, 0, 0, 0)).toBe(1)
  })
})

test('a tape has none of the bytes of an earlier one, not even in the gaps between its arguments', () => {
  const text = 'SECRET'.repeat(100)
  const earlier = Arena.take()
  earlier.cstring(text)
  earlier.release()
  const arena = Arena.take()
  for (let i = 0; i < 30; i++) arena.put(Buffer.from('x'))
  expect(arena).toBe(earlier)
  expect(Buffer.from(arena.used).toString()).toMatch(/^(x\0{15}){29}x$/)
  arena.release()
})
