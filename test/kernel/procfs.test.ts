import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, readlinkSync, symlinkSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { Child } from '../../lib/kernel/process/child.ts'
import * as c from '../../lib/kernel/syscalls/constants.ts'
import { readControl, writeControl } from '../../lib/kernel/cgroup/control-file.ts'
import { launch } from '../../lib/kernel/tape/launch.ts'
import * as procfs from '../../lib/kernel/process/procfs.ts'
import { ended } from '../../lib/kernel/process/signal.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'
import { atGate, folder } from './replay.ts'

const GONE = 2 ** 22 + 1 // beyond the largest pid there can be

const uptime = () => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
const TICKS = 100 // a second: USER_HZ, which is 100 on x86-64 and arm64

test('namespaces: the inodes that the links in /proc name', async () => {
  for (const kind of procfs.NAMESPACES)
    expect(readlinkSync(`/proc/self/ns/${kind}`)).toBe(`${kind}:[${procfs.namespaceInode('self', kind)}]`)
  const { pid } = await atGate(c.CLONE_NEWUSER | c.CLONE_NEWUTS)
  const own = procfs.NAMESPACES.filter(
    kind => procfs.namespaceInode(pid(), kind) !== procfs.namespaceInode('self', kind),
  )
  expect(own).toEqual(['user', 'uts'])
})

test('namespaces: null for a kind that the kernel does not have, an error for a process that it does not have', () => {
  expect(procfs.namespaceInode('self', 'colour' as procfs.Namespace)).toBeNull()
  expect(() => procfs.namespaceInode(GONE, 'uts')).toThrow('ENOENT')
})

test('status: every field, by name', () => {
  const status = procfs.status('self')
  expect(status).toMatchObject({
    Pid: String(process.pid),
    PPid: String(process.ppid),
    Uid: Array(4).fill(process.getuid?.()).join('\t'),
  })
  expect(status.CapEff).toMatch(/^[0-9a-f]{16}$/)
})

test('pids: outermost first', async () => {
  const { pid } = await atGate(c.CLONE_NEWUSER | c.CLONE_NEWPID)
  expect(procfs.nsPids(pid())).toEqual([...procfs.nsPids('self').slice(0, -1), pid(), 1])
  expect(procfs.children(process.pid)).toContain(pid())
  expect(procfs.pids()).toEqual(expect.arrayContaining([process.pid, pid()]))
})

test('start time: also of a program whose name looks like other fields', async () => {
  const before = uptime()
  const name = `${folder()}/a) R 1 (b` // at most 15 bytes reach /proc/<pid>/stat
  symlinkSync('/bin/sleep', name)
  const child = spawn(name, ['60'])
  await once(child, 'spawn')
  const started = procfs.startTime(child.pid!)
  expect(readFileSync(`/proc/${child.pid}/stat`, 'utf8')).toContain('(a) R 1 (b)')
  child.kill()
  await once(child, 'exit')
  expect(started).toBeGreaterThanOrEqual(Math.floor(before * TICKS) - 1)
  expect(started).toBeLessThanOrEqual(Math.ceil(uptime() * TICKS) + 1)
})

test('a process exists until it has ended, not until it is reaped', async () => {
  const tape = new Tape()
  tape.exit_group(0)
  const launched = launch(tape)
  await launched.replayed
  const pid = launched.pid()
  expect(await ended(launched.pidfd())).toBe(true) // it has left our memory a little before that
  expect([existsSync(`/proc/${pid}`), procfs.processExists(pid)]).toEqual([true, false])
  await new Child(pid, launched.pidfd()).exit
  expect([existsSync(`/proc/${pid}`), procfs.processExists(pid)]).toEqual([false, false])
  expect([procfs.processExists(process.pid), procfs.processExists(GONE)]).toEqual([true, false])
})

test('words: separated by zero bytes, empty ones too', async () => {
  const child = spawn('sleep', ['60'], { env: { A: '1', EMPTY: '', B: 'x\ny' } })
  onTestFinished(() => void child.kill())
  await once(child, 'spawn')
  expect(procfs.nulSeparated(`/proc/${child.pid}/environ`)).toEqual(['A=1', 'EMPTY=', 'B=x\ny'])
  expect(procfs.nulSeparated(`/proc/self/cmdline`)[0]).toBe(process.argv0)
})

test('descriptors: what lies behind each', () => {
  const found = procfs.descriptors('self')
  for (const [fd, target] of Object.entries(found)) expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe(target)
  expect(Object.keys(found)).toEqual(expect.arrayContaining(['0', '1', '2']))
})

test('descriptors: one whose path is too long for the kernel to name keeps none of the others from being told', async () => {
  const top = folder()
  const script =
    'for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do mkdir $0; cd -P ./$0; done; exec 9<. 8</; echo; exec sleep 1000'
  const child = spawn('bash', ['-c', script, 'n'.repeat(200)], {
    cwd: top,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  expect(procfs.descriptors(child.pid!)).toMatchObject({ 8: '/', 9: '(too long)' })
})

test('a control file is written in place, and never made', async () => {
  const { pid } = await atGate(0)
  writeControl(`/proc/${pid()}/oom_score_adj`, '500')
  expect(readControl(`/proc/${pid()}/oom_score_adj`)).toBe('500')
  const missing = `${folder()}/missing`
  expect(() => writeControl(missing, '1')).toThrow(
    `open("${missing}") = -1 ENOENT (no such file or directory)`,
  )
  expect(existsSync(missing)).toBe(false)
})
