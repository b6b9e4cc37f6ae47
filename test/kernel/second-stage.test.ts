import { accessSync, constants, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Child } from '../../lib/kernel/process/child.ts'
import { AT_FDCWD, O_RDONLY } from '../../lib/kernel/syscalls/constants.ts'
import { keepInherited } from '../../lib/kernel/process/inherited.ts'
import { descriptors, status } from '../../lib/kernel/process/procfs.ts'
import { Gate } from '../../lib/kernel/tape/gate.ts'
import { type Arrived, launchGated } from '../../lib/kernel/tape/launch-gated.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'
import { isRoot, ORDINARY, runMinilab, userData } from '../support/minilab.ts'
import { folder } from './replay.ts'

/** A child with two stages, and with a gate in the second one, at which `look` is called. */
async function twoStages(
  second: (tape: Tape) => void,
  look: (pid: number) => void | Promise<void> = () => {},
  first: (tape: Tape) => void = () => {},
): Promise<Arrived & { exit: Awaited<Child['exit']>; printed: string[] }> {
  keepInherited() // what we have from the test runner
  const [gate, tape] = [new Gate(), new Tape()]
  gate.record(tape)
  first(tape)
  gate.enterSecondStage(tape)
  gate.record(tape)
  second(tape)
  const arrived = await launchGated(tape, gate, 0, [() => {}, launched => look(launched.pid())])
  return { ...arrived, exit: await arrived.child.exit, printed: arrived.tape.map(({ call }) => call) }
}

const finish = (tape: Tape) => tape.execve('/bin/sh', ['sh', '-c', 'exit 7'], [])

test('nothing of Node is left in it: another program, other memory, no descriptors but the gate', async () => {
  const { exit, failed } = await twoStages(finish, pid => {
    expect(readlinkSync(`/proc/${pid}/exe`)).toBe('/memfd:minilab (deleted)')
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toBe('minilab\0')
    const maps = readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n')
    const files = [...new Set(maps.map(line => line.split(/\s+/).slice(5).join(' ')))]
    const known = /^(\/memfd:minilab(-tape)? \(deleted\)|\[(stack|vdso|vvar|vvar_vclock|vsyscall)\]|)$/
    expect(files.filter(name => !known.test(name))).toEqual([])
    const more = Object.entries(descriptors(pid)).filter(([fd]) => Number(fd) > 2)
    expect(more.map(([, target]) => target.split(':')[0])).toEqual(['socket'])
    expect(status(pid)).toMatchObject({ Threads: '1' })
    expect(Number.parseInt(status(pid).VmRSS ?? '')).toBeLessThanOrEqual(64) // kB
  })
  expect([exit, failed]).toEqual([{ status: 7, signal: null }, undefined])
})

test('its program cannot be changed, and its memory not be traced', async () => {
  await twoStages(finish, pid => {
    const exe = `/proc/${pid}/exe`
    expect(statSync(exe).mode & 0o7777).toBe(0o111)
    expect(() => writeFileSync(exe, 'x', { flag: 'r+' })).toThrow(/ETXTBSY|EACCES/)
    // prctl(2), PR_SET_DUMPABLE: the files of an undumpable process belong to root
    if (!isRoot) expect(() => accessSync(`/proc/${pid}/environ`, constants.R_OK)).toThrow(/EACCES/)
    expect(statSync(`/proc/${pid}/environ`).uid).toBe(0)
  })
})

test('the calls of both stages are one list, with results and times that grow', async () => {
  const { tape, printed } = await twoStages(tape => {
    tape.close(tape.openat(AT_FDCWD, '/dev/null', O_RDONLY, 0)) // a result flows on
    tape.attempt.openat(AT_FDCWD, '/missing', O_RDONLY, 0)
    finish(tape)
  })
  expect(printed.slice(printed.indexOf('execveat'))).toEqual(
    'execveat close fcntl prctl write read openat close openat execve'.split(' '),
  )
  const [opened, closed, missing, executed] = tape.slice(-4)
  expect(closed!.args).toBe(String(opened!.result))
  expect([closed!.result, missing!.errno, executed!.result]).toEqual([0, 'ENOENT', null])
  const starts = tape.map(({ start }) => start!)
  expect(starts).toEqual(starts.toSorted((a, b) => a - b))
  expect(tape.every(({ ns }) => ns >= 0)).toBe(true)
})

test('what is refused in it is told, and where the child is killed in it too', async () => {
  const refused = await twoStages(tape => {
    tape.chdir('/missing')
    finish(tape)
  })
  expect(refused.failed).toMatchObject({ call: 'chdir', code: 'ENOENT' })
  expect(refused.exit).toEqual({ status: 127, signal: null })

  const noProgram = await twoStages(tape => tape.execve('/missing', [], []))
  expect(noProgram.failed).toMatchObject({ call: 'execve', code: 'ENOENT' })

  // it may be gone before the gate is passed, and then that throws
  const killed = await twoStages(finish, pid => void process.kill(pid, 'SIGKILL')).then(
    ({ failed }) => failed,
    (error: unknown) => error,
  )
  // killed in the read of the gate, or still in the write before it
  expect(killed).toMatchObject({ call: expect.stringMatching(/^(read|write)$/) as string, code: 'EINTR' })

  const unstarted = await twoStages(
    finish,
    () => expect.fail('there is no second gate'),
    tape => tape.chdir('/missing'),
  )
  expect(unstarted.failed).toMatchObject({ call: 'chdir', code: 'ENOENT' })
})

test('it is waited for, whatever it closes', async () => {
  const path = join(folder(), 'done')
  const { tape } = await twoStages(tape => {
    tape.close_range(3, 0xffffffff, 0)
    tape.chdir('/missing')
    finish(tape)
  })
  expect(tape.at(-1)).toMatchObject({ call: 'chdir', errno: 'ENOENT' })
  await twoStages(tape => {
    tape.close_range(3, 0xffffffff, 0)
    tape.mknodat(AT_FDCWD, path, 0o100644, 0)
    finish(tape)
  })
  expect(statSync(path).isFile()).toBe(true)
})

test('nothing is left in us', async () => {
  await twoStages(finish)
  const before = Object.keys(descriptors('self')).length
  for (let i = 0; i < 5; i++) await twoStages(finish)
  expect(Object.keys(descriptors('self')).length).toBe(before)
})

// vm.memfd_noexec is of a pid namespace: sysctl/vm.rst
describe.skipIf(!isRoot)('where no program in memory is allowed', () => {
  /** What is run by a shell in which no program in memory is allowed. */
  const forbidden = (script: string) => {
    const begin = 'echo 2 > /proc/sys/vm/memfd_noexec && '
    return ['unshare', '--pid', '--fork', '--mount', '--mount-proc', 'sh', '-c', begin + script, 'sh']
  }
  const args = ['run', '--rm', 'default', 'sh', '-c', 'readlink /proc/1/exe; exit 7']

  test('as root it lies on a file system that no process can write to', async () => {
    const ran = await runMinilab(args, { wrapper: forbidden('exec "$@"') })
    expect([ran.status, ran.stdout, ran.stderr]).toEqual([7, '/bin/busybox\n', ''])
    // monitor, log pumps and init are that program: not even root outside can change it
    const look = `id=$("$@") && for pid in $(pgrep -x minilab); do
        exe=/proc/$pid/exe
        stat -L -c %a $exe; chmod 755 $exe; cp /bin/true $exe
      done 2>&1 | sed 's/.*: //'; "$1" "$2" rm -f $id >/dev/null`
    const { stdout, stderr } = await runMinilab(['run', '-d', '--init', 'default', 'sleep', '1000'], {
      wrapper: forbidden(look),
    })
    const each = '111\nRead-only file system\nRead-only file system\n'
    expect([stdout, stderr]).toEqual([each.repeat(4), ''])
  })

  test('an ordinary user is told, and what to do', async () => {
    const script = `exec setpriv --reuid ${ORDINARY.uid} --regid ${ORDINARY.gid} --clear-groups "$@"`
    const ran = await runMinilab(['run', '--rm', '--network', 'none', 'default', 'true'], {
      wrapper: forbidden(script),
      data: userData('ordinary'),
    })
    expect([ran.status, ran.stderr]).toEqual([
      125,
      'minilab: this machine forbids programs in memory (vm.memfd_noexec = 2), and a container starts as one: run it as root, which may mount instead, or: sudo sysctl vm.memfd_noexec=1\n',
    ])
  })
})
