import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { expect, onTestFinished, test } from 'vitest'
import { Child, shellStatus } from '../../lib/kernel/process/child.ts'
import * as c from '../../lib/kernel/syscalls/constants.ts'
import { failure } from '../../lib/kernel/syscalls/failure.ts'
import { Gate } from '../../lib/kernel/tape/gate.ts'
import { launch } from '../../lib/kernel/tape/launch.ts'
import { launchGated } from '../../lib/kernel/tape/launch-gated.ts'
import { int32s, now } from '../../lib/kernel/syscalls/now.ts'
import { descriptors, processExists, status, nulSeparated } from '../../lib/kernel/process/procfs.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'
import { until } from '../../lib/common/until.ts'
import { visit } from '../../lib/kernel/tape/visit.ts'
import { atGate, folder, runToItsEnd } from './replay.ts'

const library = new URL('../../lib/', import.meta.url).href
const LAST_FD = 0xffffffff

function sh(script: string): Tape {
  const tape = new Tape()
  tape.execve('/bin/sh', ['sh', '-c', script], [])
  return tape
}

/** Starts a program that stays until the test ends. */
async function program(tape: Tape, flags = 0): Promise<Child> {
  const launched = launch(tape, flags)
  await launched.replayed
  const child = new Child(launched.pid(), launched.pidfd())
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await child.exit
  })
  return child
}

test("a child's end is told apart: by exit, by signal", async () => {
  const ends = await Promise.all(
    ['exit 0', 'exit 42', 'kill -TERM $$', 'kill -KILL $$'].map(s => runToItsEnd(sh(s))),
  )
  expect(ends.map(({ exit }) => exit)).toEqual([
    { status: 0, signal: null },
    { status: 42, signal: null },
    { status: null, signal: 'SIGTERM' },
    { status: null, signal: 'SIGKILL' },
  ])
  expect(ends.map(({ exit }) => shellStatus(exit))).toEqual([0, 42, 143, 137])
  expect(ends.map(({ pid }) => existsSync(`/proc/${pid}`))).toEqual([false, false, false, false]) // reaped
})

test('a signal goes to the child while it is there, and to nobody afterwards', async () => {
  const child = await program(sh('exec sleep 60'))
  expect([child.alive, child.kill('SIGHUP')]).toEqual([true, true])
  expect(await child.exit).toEqual({ status: null, signal: 'SIGHUP' })
  expect([child.alive, child.kill('SIGHUP')]).toEqual([false, false])
})

test('a program gets its arguments and environment as they were given', async () => {
  const args = ['/bin/sh', '-c', 'kill -STOP $$', '', 'two words', 'ünïcode', '$HOME "quoted"\\']
  const env = ['A=1', 'EMPTY=', 'B=x=y']
  const tape = new Tape()
  tape.execve('/bin/sh', args, env)
  const child = await program(tape)
  // vfork lets us go on when execve has left our memory: a little before the new one's arguments are in their place
  await expect.poll(() => nulSeparated(`/proc/${child.pid}/cmdline`), { interval: 5 }).toEqual(args)
  expect(nulSeparated(`/proc/${child.pid}/environ`)).toEqual(env)
})

test('a program inherits no descriptor of ours, nor of its tape', async () => {
  const [copy] = int32s(pipe(0)) // without close-on-exec
  const tape = new Tape()
  const file = tape.openat(c.AT_FDCWD, '/dev/null', c.O_RDONLY, 0)
  for (const fd of [0, 1, 2]) tape.dup3(file, fd, 0)
  tape.close_range(3, LAST_FD, c.CLOSE_RANGE_CLOEXEC)
  tape.execve('/bin/sleep', ['sleep', '60'], [])
  const child = await program(tape)
  expect(descriptors('self')[copy ?? -1]).toMatch(/^pipe:/)
  expect(descriptors(child.pid)).toEqual({ 0: '/dev/null', 1: '/dev/null', 2: '/dev/null' })
})

test('what a launch and a gate open is close-on-exec', async () => {
  const before = descriptors('self')
  const { pidfd } = await atGate(0)
  const opened = Object.keys(descriptors('self')).filter(fd => !(fd in before))
  expect(opened).toContain(String(pidfd()))
  expect(opened.length).toBe(3) // the pidfd and both ends of the gate
  for (const fd of opened) expect(now.fcntl(Number(fd), c.F_GETFD, 0)).toBe(c.FD_CLOEXEC)
})

test('a program starts with no signal blocked, ignored or handled', async () => {
  const tape = new Tape()
  tape.rt_sigaction(c.SIGPIPE, 'SIG_DFL', null, 8) // Node ignores these two, and execve passes that on
  tape.rt_sigaction(c.SIGXFSZ, 'SIG_DFL', null, 8)
  tape.execve('/bin/sleep', ['sleep', '60'], [])
  const { SigBlk, SigIgn, SigCgt } = status((await program(tape)).pid)
  expect([SigBlk, SigIgn, SigCgt].map(mask => parseInt(mask ?? '', 16))).toEqual([0, 0, 0])
})

test('at the gate the parent sees what the child has done, and does its own share', async () => {
  const tape = new Tape()
  const gate = new Gate()
  const file = tape.openat(c.AT_FDCWD, '/etc/passwd', c.O_RDONLY | c.O_CLOEXEC, 0)
  gate.record(tape)
  gate.record(tape)
  tape.exit_group(5)
  const launched = launch(tape)
  expect(await gate.reached()).toBe(true)
  expect(descriptors(launched.pid())[launched.result(file)]).toBe('/etc/passwd')
  gate.pass()
  expect(await gate.reached()).toBe(true) // the second one
  gate.pass()
  await launched.replayed
  gate.closeChildEnd()
  expect(await gate.reached()).toBe(false)
  gate.close()
  expect(await new Child(launched.pid(), launched.pidfd()).exit).toEqual({ status: 5, signal: null })
})

test('a gate that is closed ends the child with 127, and the rest of its tape is not run', async () => {
  const root = folder()
  const tape = new Tape()
  const gate = new Gate()
  gate.record(tape)
  tape.mkdirat(c.AT_FDCWD, `${root}/never`, 0o755)
  const launched = launch(tape)
  await gate.reached()
  gate.close()
  const replayed = await launched.replayed
  gate.closeChildEnd()
  expect(failure(tape, replayed)?.message).toMatch(/^read\(.*\) = -1 EPIPE .* \(call 3 of 4\)$/)
  expect(await new Child(launched.pid(), launched.pidfd()).exit).toEqual({ status: 127, signal: null })
  expect(existsSync(`${root}/never`)).toBe(false)
})

test('a gate at which nobody is left is no signal: by SIGPIPE a step would end without a word', async () => {
  const gate = new Gate()
  gate.closeChildEnd()
  onTestFinished(() => gate.close())
  const heard: string[] = []
  const signals = ['SIGPIPE', 'SIGWINCH'] as const
  const hear = (signal: string) => void heard.push(signal)
  for (const signal of signals) process.on(signal, hear)
  onTestFinished(() => signals.forEach(signal => process.off(signal, hear)))
  expect(gate.pass()).toBe(false)
  const last = once(process, 'SIGWINCH')
  process.kill(process.pid, 'SIGWINCH') // what came before it is heard before it
  await last
  expect(heard).toEqual(['SIGWINCH'])
})

test('of a child that was killed at its gate that is said, and not what followed from it', async () => {
  const tape = new Tape()
  const gate = new Gate()
  gate.record(tape)
  tape.exit_group(0)
  const launched = launchGated(tape, gate, 0, [
    async ({ pid }) => {
      process.kill(pid(), 'SIGKILL')
      expect(await until(() => !processExists(pid()), 10_000)).toBe(true)
    },
  ])
  // we learn of it before we pass the gate, or by passing it
  const failed = await launched.then(
    ({ failed }) => failed,
    (error: unknown) => error,
  )
  expect(failed).toMatchObject({
    // the byte that tells us of it is out before its write has returned
    call: expect.stringMatching(/^(read|write)$/),
    code: 'EINTR',
    diagnosis: { cause: expect.stringContaining('a signal killed the child') },
  })
})

test('the death of the parent ends a child that waits at its gate', async () => {
  const root = folder()
  const script = `
    import { AT_FDCWD } from '${library}kernel/syscalls/constants.ts'
    import { Gate } from '${library}kernel/tape/gate.ts'
    import { launch } from '${library}kernel/tape/launch.ts'
    import { Tape } from '${library}kernel/tape/tape.ts'
    const tape = new Tape()
    const gate = new Gate()
    gate.record(tape)
    tape.mkdirat(AT_FDCWD, ${JSON.stringify(`${root}/never`)}, 0o755)
    const launched = launch(tape)
    await gate.reached()
    console.log(launched.pid())
    await launched.replayed`
  // as a subreaper we inherit the child when its parent dies, and learn how it ended
  now.prctl(c.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
  onTestFinished(() => void now.prctl(c.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0))
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [said] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number(said.toString())
  const pidfd = now.pidfd_open(pid, 0)
  expect(status(pid).PPid).toBe(String(parent.pid))
  parent.kill('SIGKILL')
  await once(parent, 'exit')
  expect(await new Child(pid, pidfd).exit).toEqual({ status: 127, signal: null })
  expect(existsSync(`${root}/never`)).toBe(false)
})

test('a visit acts inside, on nothing of ours', async () => {
  const ours = hostname()
  const { pid } = await atGate(c.CLONE_NEWUSER | c.CLONE_NEWUTS)
  const replayed = await visit(pid(), ['user', 'uts'], tape => tape.sethostname('visited', 7))
  expect(replayed.map(({ call }) => call)).toEqual(['setns', 'sethostname', 'exit_group'])
  const join = ['-t', String(pid()), '-U', '-u', '--preserve-credentials']
  expect(execFileSync('nsenter', [...join, 'uname', '-n'], { encoding: 'utf8' })).toBe('visited\n')
  expect(readFileSync('/proc/sys/kernel/hostname', 'utf8').trim()).toBe(ours)
})

test('a visit to where we are already joins nothing, and what it opens is ours', async () => {
  const { pid } = await atGate(0)
  const replayed = await visit(pid(), ['uts', 'net'], tape => tape.openat(c.AT_FDCWD, '/etc/passwd', 0, 0))
  expect(replayed.map(({ call }) => call)).toEqual(['openat', 'exit_group'])
  const fd = replayed[0]?.result ?? -1
  expect(descriptors('self')[fd]).toBe('/etc/passwd')
  now.close(fd)
})

test('a visit to a program hides us from it first', async () => {
  const { pid } = await program(sh('exec sleep 60'), c.CLONE_NEWUSER | c.CLONE_NEWUTS)
  const replayed = await visit(pid, ['user', 'uts'], tape => tape.prctl(c.PR_GET_DUMPABLE, 0, 0, 0, 0))
  expect(replayed.map(({ call, args, result }) => [call, args, result])).toEqual([
    ['prctl', 'PR_SET_DUMPABLE, 0, 0, 0, 0', 0],
    ['setns', expect.stringMatching(/^\d+, CLONE_NEWUTS\|CLONE_NEWUSER$/), 0],
    ['prctl', 'PR_GET_DUMPABLE, 0, 0, 0, 0', 0],
    ['exit_group', '0', null],
  ])
})

/** pipe2(2)'s two descriptors, closed with the test. */
function pipe(flags: number): Uint8Array {
  const pair = new Uint8Array(8)
  now.pipe2(pair, flags)
  onTestFinished(() => int32s(pair).forEach(fd => now.close(fd)))
  return pair
}
