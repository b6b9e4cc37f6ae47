import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, onTestFinished, test, vi } from 'vitest'
import { processExists } from '../../lib/kernel/process/procfs.ts'
import { accelerators } from './accelerators.ts'
import { start } from './boot.ts'
import { machines } from './machines.ts'
import type { Qemu } from './qemu.ts'

afterEach(() => void vi.unstubAllEnvs())

const other = process.arch === 'x64' ? machines.arm64 : machines.x64

test('a guest that says nothing on KVM is ended, and emulated instead', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'minilab-qemu-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const program = join(folder, machines.x64.qemu.program)
  const hangs = 'case "$*" in *"-accel kvm"*) ;; *) echo Linux version ;; esac\nexec sleep 1000\n'
  writeFileSync(program, `#!/bin/sh\n${hangs}`)
  chmodSync(program, 0o755)
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`)
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  onTestFinished(() => log.mockRestore())

  const started: Qemu[] = []
  const disks = { system: folder, others: [], scratch: folder }
  const patience = { kvm: 0.2, tcg: 60 }
  const qemu = await start(machines.x64, ['kvm', 'tcg'], disks, one => started.push(one), patience)
  expect(started).toHaveLength(2)
  expect(qemu).toBe(started[1])
  expect(started.map(({ pid }) => processExists(pid))).toEqual([false, true])
  expect(qemu.console).toBe('Linux version\n')
  expect(log.mock.calls).toEqual([['the guest says nothing on kvm']])
  expect(await qemu.end()).toBe(true)
  expect(processExists(qemu.pid)).toBe(false)
})

test('another architecture is never tried on KVM, unless one says so', () => {
  vi.stubEnv('MINILAB_VM_ACCEL', undefined)
  expect(accelerators(other).list).toEqual(['tcg'])
  vi.stubEnv('MINILAB_VM_ACCEL', 'kvm')
  expect(accelerators(other).list).toEqual(['kvm'])
  vi.stubEnv('MINILAB_VM_ACCEL', 'hvf')
  expect(() => accelerators(other)).toThrow('MINILAB_VM_ACCEL is hvf: give it kvm or tcg')
})
