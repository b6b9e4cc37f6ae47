import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { hierarchyOf } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { writeControl } from '../../lib/kernel/cgroup/control-file.ts'
import { isRoot } from '../support/minilab.ts'
import { SyscallError } from '../../lib/kernel/syscalls/syscall-error.ts'

// What is written here is not there, or no number: nothing is changed.

const [memory, pids] = ['memory', 'pids'].map(controller => hierarchyOf(controller))

function refusal(path: string, value: string): SyscallError {
  try {
    writeControl(path, value)
  } catch (error) {
    if (error instanceof SyscallError) return error
    throw error
  }
  throw new Error(`${path} took ${value}`)
}

test.skipIf(!memory)('the name that a file has on the other version', () => {
  const names = ['memory.limit_in_bytes', 'memory.max']
  const [right, wrong] = memory!.version === 1 ? names : names.toReversed()
  const { code, diagnosis } = refusal(join(memory!.own, wrong!), '1')
  expect(code).toBe('ENOENT')
  expect(diagnosis?.cause).toContain(`but memory is on v${memory!.version} here`)
  expect(diagnosis?.remedy).toContain(`use ${right}`)
})

const cpu = hierarchyOf('cpu')
const needsTime = cpu && isRoot && existsSync(join(cpu.mount, 'cpu.rt_runtime_us'))

test.skipIf(!needsTime)('a real-time process in a cgroup that has no time for it', async () => {
  const cgroup = join(cpu!.mount, `minilab-test-${process.pid}`)
  mkdirSync(cgroup)
  const child = spawn('chrt', ['-f', '5', 'sh', '-c', 'echo; exec sleep 1000'])
  onTestFinished(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    rmdirSync(cgroup)
  })
  await once(child.stdout, 'data')
  const { code, diagnosis } = refusal(join(cgroup, 'cgroup.procs'), String(child.pid))
  expect(code).toBe('EINVAL')
  expect(diagnosis?.cause).toContain('real-time process')
  expect(diagnosis?.remedy).toContain('chrt -o 0')
})

test.skipIf(!memory || !pids || memory.mount === pids.mount)(
  'a file in the directory of another controller',
  () => {
    const { code, diagnosis } = refusal(join(memory!.own, 'pids.max'), 'max')
    expect(code).toBe('ENOENT')
    expect(diagnosis).toEqual({
      cause: `this directory is in the wrong hierarchy: the one for pids is ${pids!.mount}`,
      remedy: "look for it in cgroup.controller('pids').path",
    })
  },
)
