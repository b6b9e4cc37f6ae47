import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Snapshot } from '../../lib/look/snapshot-shape.ts'
import { isRoot, runMinilab } from '../support/minilab.ts'
import {
  cgroupFolder,
  children,
  container,
  control,
  looked,
  output,
  BUSY,
  sleeper,
  THREE,
} from './support.ts'

describe.skipIf(!isRoot)('limits (as root: cgroups are not delegated to an ordinary user here)', () => {
  test('limit, use and peak of memory, quota, processes: as the control files say', async () => {
    const flags = ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '50']
    const { pid, name, data, user } = await container(
      flags,
      `dd if=/dev/zero of=/dev/shm/a bs=1M count=20; ${THREE}`,
    )
    await expect.poll(() => children(pid), BUSY).toHaveLength(2)
    const { cgroup } = await looked(name, { user, data })
    const { memory, cpu, pids, frozen } = cgroup
    expect({ limit: memory.limit, quota: cpu.quota, period: cpu.period, pids: pids.limit }).toEqual({
      limit: 64 * 2 ** 20,
      quota: 50_000,
      period: 100_000,
      pids: 50,
    })
    expect({ pids: pids.current, others: memory.others, oom: memory.oomKills, frozen }).toEqual({
      pids: 3,
      others: 0,
      oom: 0,
      frozen: false,
    })
    expect(memory.path).toBe(cgroupFolder(pid, 'memory').path)
    expect(memory.peak).toBe(control(pid, 'memory', 'memory.max_usage_in_bytes', 'memory.peak'))
    expect(memory.current).toBeGreaterThan(20 * 2 ** 20)
    expect(memory.current).toBeLessThanOrEqual(Number(memory.peak))
    expect(cpu.periods).toBe(control(pid, 'cpu', 'cpu.stat', 'cpu.stat', 'nr_periods'))
  })

  test('what the OOM killer, the quota and the limit of processes have done; and that it is frozen', async () => {
    const flags = ['--memory', '16m', '--cpus', '0.1', '--pids-limit', '3']
    const greedy =
      'dd if=/dev/zero of=/dev/shm/a bs=1M count=40; (sleep 1000 & sleep 1000 & sleep 1000); ' +
      'while :; do :; done'
    const { pid, name, data, user } = await container(flags, greedy)
    const throttled = () => control(pid, 'cpu', 'cpu.stat', 'cpu.stat', 'nr_throttled')
    const refused = () => control(pid, 'pids', 'pids.events', 'pids.events', 'max')
    await expect.poll(() => Math.min(throttled(), refused()), BUSY).toBeGreaterThan(0)
    const { version, path } = cgroupFolder(pid, 'freezer')
    const [file, stop, go] =
      version === 1 ? ['freezer.state', 'FROZEN', 'THAWED'] : ['cgroup.freeze', '1', '0']
    onTestFinished(() => writeFileSync(join(path, file), go))
    writeFileSync(join(path, file), stop)
    const [state, frozenNow] = version === 1 ? ['freezer.state', 'FROZEN'] : ['cgroup.events', 'frozen 1']
    await expect.poll(() => readFileSync(join(path, state), 'utf8'), BUSY).toContain(frozenNow)
    const { cgroup } = await looked(name, { user, data })
    const { memory, cpu, pids, frozen } = cgroup
    expect(frozen).toBe(true)
    expect(memory.oomKills).toBe(control(pid, 'memory', 'memory.oom_control', 'memory.events', 'oom_kill'))
    expect(memory.oomKills).toBeGreaterThan(0)
    expect(pids.refused).toBe(refused())
    expect(pids.refused).toBeGreaterThan(0)
    expect(cpu.throttled).toBeGreaterThan(0)
    const waited =
      version === 1
        ? control(pid, 'cpu', 'cpu.stat', 'none', 'throttled_time') / 1000
        : control(pid, 'cpu', 'none', 'cpu.stat', 'throttled_usec')
    expect(cpu.throttledTime).toBe(Math.round(waited)) // nothing in there runs any more
  })

  test('on v2 alone: here v1 is unmounted for the one who looks', async () => {
    const mount = output('findmnt', '-rn', '-o', 'TARGET', '-t', 'cgroup2').split('\n')[0]!
    const folder = join(mount, `minilab-look-${process.pid}`)
    mkdirSync(folder)
    onTestFinished(() => rmdirSync(folder))
    const pid = sleeper()
    writeFileSync(join(folder, 'cgroup.procs'), String(pid))
    writeFileSync(join(folder, 'cgroup.freeze'), '1')
    await expect.poll(() => readFileSync(join(folder, 'cgroup.events'), 'utf8'), BUSY).toContain('frozen 1')
    const wrapper = ['unshare', '--mount', 'sh', '-c', 'umount -a -t cgroup && exec "$@"', 'sh']
    const { stdout, stderr } = await runMinilab(['look', String(pid), '--json'], { user: 'root', wrapper })
    expect(stderr).toBe('')
    const { cgroup } = JSON.parse(stdout) as Snapshot
    const controllers = readFileSync(join(folder, 'cgroup.controllers'), 'utf8').split(/\s+/).filter(Boolean)
    expect(cgroup).toMatchObject({ mode: 'v2', frozen: true })
    expect(cgroup.folders.map(({ version, path }) => ({ version, path }))).toEqual([
      { version: 2, path: folder },
    ])
    const used = /^usage_usec (\d+)$/m.exec(readFileSync(join(folder, 'cpu.stat'), 'utf8'))![1]
    expect(cgroup.cpu.used).toBe(Number(used))
    expect(cgroup.memory.path).toBe(controllers.includes('memory') ? folder : null)
    if (!controllers.includes('memory'))
      expect(cgroup.memory).toMatchObject({ current: null, limit: null, oomKills: null })
  })
})
