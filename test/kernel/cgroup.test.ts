import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { Ledger } from '../../lib/container/ledger/ledger.ts'
import { Cgroup, cgroupOf, removeCgroup } from '../../lib/kernel/cgroup/cgroup.ts'
import { CORE, hierarchies, hierarchyOf, readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { makeCgroup, planCgroup } from '../../lib/kernel/cgroup/make-cgroup.ts'
import { until } from '../../lib/common/until.ts'
import { isRoot } from './is-root.ts'

// noted as every command does: `minilab clean`, run by another test, leaves alone what a living process has noted
const folder = mkdtempSync(join(tmpdir(), 'minilab-cgroup-'))
const ledger = new Ledger(folder)
const running: ChildProcess[] = []
let count = 0

afterEach(async () => {
  await ledger.settle()
  ledger.entries.length = 0
  for (const child of running.splice(0)) child.kill('SIGKILL')
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Makes a cgroup beside those of other tests and commands; removed after the test. */
function make(planned: Cgroup, controllers: string[]): Cgroup {
  makeCgroup(planned, controllers, change => ledger.add(change))
  return planned
}

const name = () => `/minilab/test-${process.pid}-${count++}`
const inTree = (hierarchy: NonNullable<ReturnType<typeof hierarchyOf>>, path = name()) =>
  new Cgroup([{ hierarchy, path: join(hierarchy.mount, path) }])

/** An endless loop. */
function loop(): ChildProcess & { pid: number } {
  const child = spawn('/bin/sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' })
  running.push(child)
  return child as ChildProcess & { pid: number }
}

/** Clock ticks that a process has run: utime and stime, proc_pid_stat(5). */
function ticks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

const freezers = isRoot ? hierarchies().filter(h => h.controllers.includes('freezer')) : []
const needsRoot = isRoot ? '' : ' (skipped: only root may make cgroups everywhere)'

describe.skipIf(!isRoot).each(freezers)(`cgroup v$version at $mount${needsRoot}`, hierarchy => {
  const file = (path: string) => join(path, hierarchy.version === 1 ? 'freezer.state' : 'cgroup.events')
  const state = (path: string) => readFileSync(file(path), 'utf8')
  const isFrozen = (path: string) => /^FROZEN|frozen 1/m.test(state(path))

  test('freezes all that is in it, and lets it go on', async () => {
    const cgroup = make(inTree(hierarchy), ['freezer'])
    const [{ path } = { path: '' }] = cgroup.folders
    const { pid } = loop()
    cgroup.join(pid)
    expect(cgroup.pids()).toEqual([pid])
    await until(() => ticks(pid) > 0, 10_000)
    await cgroup.freeze(true)
    expect(isFrozen(path)).toBe(true)
    const stopped = ticks(pid)
    expect(await until(() => ticks(pid) > stopped, 200)).toBe(false)
    await cgroup.freeze(false)
    expect(isFrozen(path)).toBe(false)
    expect(await until(() => ticks(pid) > stopped, 10_000)).toBe(true)
  })

  test('what is frozen can still be removed: its processes end', async () => {
    const cgroup = make(inTree(hierarchy), ['freezer'])
    const [{ path } = { path: '' }] = cgroup.folders
    const children = [loop(), loop()]
    for (const { pid } of children) cgroup.join(pid)
    const ends = children.map(child => once(child, 'exit'))
    await cgroup.freeze(true)
    expect(await removeCgroup(path, 'container')).toBe(true)
    expect(existsSync(path)).toBe(false)
    expect((await Promise.all(ends)).map(([, signal]) => signal as string)).toEqual(['SIGKILL', 'SIGKILL'])
    expect(await removeCgroup(path, 'container')).toBe(false) // a second time there is nothing
  })

  test("a container's own cgroups go with it", async () => {
    const [{ path } = { path: '' }] = make(inTree(hierarchy), ['freezer']).folders
    mkdirSync(join(path, 'inner'))
    const child = loop()
    inTree(hierarchy, join(path.slice(hierarchy.mount.length), 'inner')).join(child.pid)
    const end = once(child, 'exit')
    expect(await removeCgroup(path, 'container')).toBe(true)
    expect(existsSync(path)).toBe(false)
    expect((await end)[1]).toBe('SIGKILL')
  })

  test('a shared parent stays while another cgroup is in it, and its processes live', async () => {
    const parent = name()
    const first = make(inTree(hierarchy, `${parent}/minilab/a`), ['freezer'])
    const second = make(inTree(hierarchy, `${parent}/minilab/b`), ['freezer'])
    const shared = dirname(first.folders[0]!.path)
    const { pid } = loop()
    second.join(pid)
    // both have noted it: whoever ends last removes it
    expect(ledger.entries.filter(c => c.kind === 'cgroup' && c.path === shared)).toHaveLength(2)
    expect(await removeCgroup(first.folders[0]!.path, 'container')).toBe(true)
    expect(await removeCgroup(shared, 'parent')).toBe(false)
    expect(second.pids()).toEqual([pid])
    expect(await removeCgroup(second.folders[0]!.path, 'container')).toBe(true)
    expect(await removeCgroup(shared, 'parent')).toBe(true)
  })

  test('frozen from above, it cannot be thawed: an error that says so, and no waiting for ever', async () => {
    const above = make(inTree(hierarchy), ['freezer'])
    const path = above.folders[0]!.path
    mkdirSync(join(path, 'inner'))
    const inner = inTree(hierarchy, join(path.slice(hierarchy.mount.length), 'inner'))
    inner.join(loop().pid)
    await above.freeze(true)
    await expect(inner.freeze(false, 50)).rejects.toMatchObject({
      kind: 'usage',
      message: expect.stringContaining('inner did not thaw within 50 ms') as string,
      remedy: 'a cgroup above it is frozen: thaw that cgroup',
    })
  })

  test('the cgroup that we are in ourselves is not frozen, nor removed', async () => {
    const refused = { kind: 'usage', message: expect.stringContaining('we are in') as string }
    const ours = new Cgroup([{ hierarchy, path: hierarchy.own }])
    await expect(ours.freeze(true)).rejects.toMatchObject(refused)
    await expect(removeCgroup(hierarchy.own, 'container')).rejects.toMatchObject(refused)
  })
})

describe.skipIf(!isRoot)(`a cgroup for several controllers${needsRoot}`, () => {
  const controllers = ['memory', 'cpu', 'pids', ...CORE].filter(c => hierarchyOf(c))

  test('is made in each hierarchy, and found again by a process in it', async () => {
    const path = name()
    const cgroup = make(planCgroup(path, controllers) as Cgroup, controllers)
    const child = loop()
    cgroup.join(child.pid)
    for (const controller of controllers) {
      const place = cgroup.controller(controller)!
      expect(place.path.endsWith(path)).toBe(true)
      expect(cgroupOf(child.pid).controller(controller)).toEqual(place)
    }
    expect(Number(readCgroup(child.pid, 'pidsCurrent')?.value)).toBe(1)
    // each call is in the log, mkdir before the write of the pid
    const calls = cgroup.log.map(({ call, args }) => `${call} ${args}`)
    expect(calls.filter(c => c.includes('cgroup.procs'))).toHaveLength(cgroup.folders.length)
    for (const { path: directory } of cgroup.folders)
      expect(calls.indexOf(`mkdir ${JSON.stringify(directory)}`)).toBeLessThan(
        calls.indexOf(`write ${JSON.stringify(join(directory, 'cgroup.procs'))}, "${child.pid}"`),
      )
  })

  test('a name cannot climb out of the hierarchy', () => {
    const planned = planCgroup('/../../minilab/x', controllers) as Cgroup
    for (const { path, hierarchy } of planned.folders) expect(path).toBe(join(hierarchy.mount, 'minilab/x'))
  })

  test('on v1 a new cpuset has the processors of the one above, or nothing could join', () => {
    const { version } = hierarchyOf('cpuset') ?? {}
    if (version !== 1) return expect(version === 2 || version === undefined).toBe(true) // v2 needs no such thing
    const planned = make(planCgroup(name(), ['cpuset']) as Cgroup, ['cpuset'])
    const { path } = planned.controller('cpuset')!
    for (const key of ['cpuset.cpus', 'cpuset.mems'])
      expect(readFileSync(join(path, key), 'utf8')).toBe(readFileSync(join(dirname(path), key), 'utf8'))
    const { pid } = loop()
    planned.join(pid)
    expect(planned.pids()).toEqual([pid])
  })

  test('a controller that no hierarchy has is refused with a remedy', () => {
    expect(planCgroup(name(), ['no-such'])).toEqual({
      reason: 'no mounted cgroup hierarchy has the no-such controller',
      // this kernel knows none of that name, on v1 or on v2
      remedy: expect.stringMatching(/cgroup_enable=no-such|mount -t cgroup2/) as string,
    })
  })
})
