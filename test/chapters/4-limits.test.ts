import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { checks } from '../../chapters/4-limits/checks.ts'
import type { Measured } from '../../chapters/4-limits/experiments.ts'
import { LIMITS } from '../../chapters/4-limits/readings.ts'
import { step } from '../../chapters/4-limits/step.ts'
import { ledgers, ownerLives } from '../../lib/container/ledger/ledger.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import { runStep } from '../../lib/guide/run-step.ts'
import type { Report, Step, TapeEntry } from '../../lib/guide/step.ts'
import { Cgroup } from '../../lib/kernel/cgroup/cgroup.ts'
import { hierarchies, readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { planCgroup } from '../../lib/kernel/cgroup/make-cgroup.ts'
import { processExists } from '../../lib/kernel/process/procfs.ts'
import { isRoot, left, runMinilab, userFolder, type UserName, users, userData } from '../support/minilab.ts'

afterEach(() => void vi.unstubAllEnvs())

const IDS = Object.values(checks).map(check => check.id)
const planned = planCgroup('minilab/x', ['memory', 'cpu', 'pids'])
const canLimit = planned instanceof Cgroup
const noLimits = canLimit ? '' : ` (skipped: ${planned.reason})`
const hasRunc = ['/usr/sbin/runc', '/usr/bin/runc'].some(path => existsSync(path))
const noRunc = hasRunc ? '' : ' (skipped: there is no runc here)'

async function document(user: UserName, ...args: string[]): Promise<Report> {
  const ran = await runMinilab(['step', '4', '--yes', '--json', ...args], { user })
  expect(ran.stderr).toBe('')
  const [report] = ran.json()
  expect(ran.status).toBe(report?.ok ? 0 : 1)
  return report!
}

/** Every directory of a container's id, in every hierarchy. */
function cgroupsOf(id: string): string[] {
  return hierarchies()
    .map(({ mount }) => join(mount, 'minilab'))
    .filter(path => existsSync(path))
    .flatMap(path => readdirSync(path).map(name => join(path, name)))
    .filter(path => path.includes(id))
}

/** The id of a step's containers, from where the first one was. */
function idOf(report: Report): string {
  const [row] = report.checks.find(check => check.id === 'own-cgroup')?.evidence ?? []
  return /minilab\/([0-9a-f]+)-0$/.exec(row?.container ?? '')?.[1] ?? 'no id'
}

const lines = (tape: TapeEntry[]) => tape.map(({ call, args }) => `${call} ${args}`)
const failed = (report: Report) => report.checks.filter(check => check.ok === false)

describe.each(users)('as %s', user => {
  test("every check holds, or the kernel's refusal is told; nothing is left", async () => {
    const report = await document(user)
    expect(failed(report)).toEqual([])
    expect(report.ok).toBe(true)
    expect(report.checks.map(check => check.id)).toEqual(IDS)
    expect(left(report)).toEqual([])
    // the child waits at the gate, then makes its cgroup namespace, then becomes its program
    const calls = lines(report.tape)
    const gate = calls.findIndex(call => call.startsWith('read '))
    expect(gate).toBeGreaterThan(0)
    expect(calls.indexOf('unshare CLONE_NEWCGROUP')).toBeGreaterThan(gate)
    expect(calls.at(-1)).toMatch(/^execve /)
    const looked = report.checks.filter(check => check.ok)
    if (report.limited.length > 0) {
      // all or nothing: every stage of this step needs a cgroup
      expect(user === 'ordinary' || !canLimit).toBe(true)
      expect(looked).toEqual([])
      expect(report.limited).toHaveLength(step.stages.length)
      for (const { reason, remedy } of report.limited) expect([reason, remedy].includes('')).toBe(false)
      for (const check of report.checks) expect(check.limited).toBe(report.limited[0]?.reason)
    } else {
      expect(looked).toHaveLength(IDS.length)
      expect(cgroupsOf(idOf(report))).toEqual([])
      // what was done on the host is told: directories, limits, then the pid
      const [first] = report.launches
      expect(first?.purpose).toContain('on the host')
      const writes = lines(first!.tape)
      expect(writes.some(call => call.startsWith('mkdir "'))).toBe(true)
      expect(writes.some(call => call.includes(`"${LIMITS.memory}"`))).toBe(true)
      expect(writes.at(-1)).toMatch(/^write ".*\/cgroup\.procs", "\d+"$/)
    }
  })
})

describe.skipIf(!isRoot || !canLimit)(`as root${noLimits}`, () => {
  test('--rootless too: the limits are set from outside the user namespace, by us', async () => {
    const report = await document('root', '--rootless')
    expect(report).toMatchObject({ mode: 'rootless', limited: [], ok: true })
    expect(left(report)).toEqual([])
  })

  test.skipIf(!hasRunc)(`the same checks hold on runc's container${noRunc}`, async () => {
    const report = await document('root', '--runtime', 'runc')
    expect(failed(report)).toEqual([])
    // a busy machine may leave it less than its quota
    for (const { ok, limited } of report.checks.filter(check => !check.ok))
      expect({ ok, limited }).toEqual({ ok: null, limited: expect.stringContaining('so busy') })
    expect(report).toMatchObject({ runtime: 'runc', tape: [] })
    expect(left(report)).toEqual([])
    expect(cgroupsOf(idOf(report))).toEqual([])
  })

  test.skipIf(!hasRunc).each(['minilab', 'runc'])(
    `killed with its container running, the next command removes what it left: %s${noRunc}`,
    async runtime => {
      const data = userData('root')
      const args = ['bin.mjs', 'step', '4', '--yes', '--keep', '--runtime', runtime]
      const child = spawn(process.execPath, args, {
        cwd: join(import.meta.dirname, '../..'),
        stdio: ['pipe', 'ignore', 'pipe'],
        env: { ...process.env, MINILAB_DATA: data },
      })
      let pid = 0
      for await (const line of createInterface(child.stderr)) {
        pid = Number(/first process is (\d+)/.exec(line)?.[1] ?? 0)
        if (pid) break
      }
      // another door than the step's own: the kernel's files of that process, read by us
      const path =
        /\/minilab\/[0-9a-f]+-0/.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[0] ?? 'no cgroup'
      expect(readCgroup(pid, 'memoryLimit')?.value).toBe(String(LIMITS.memory))
      expect(readCgroup(pid, 'pidsLimit')?.source).toContain(path)
      const id = path.slice('/minilab/'.length, -2)
      expect(cgroupsOf(id)).not.toEqual([])
      child.kill('SIGKILL')
      await once(child, 'exit')
      expect(cgroupsOf(id)).not.toEqual([])
      // for runc the step is in a child of that process, which dies after it; a ledger whose owner lives stays
      await expect.poll(() => ledgers(data).filter(ownerLives)).toEqual([])
      const next = await runMinilab(['step', '1', '--yes', '--json'], { user: 'root', data })
      expect(next.status).toBe(0)
      expect(cgroupsOf(id)).toEqual([])
      expect(processExists(pid)).toBe(false)
      expect(readdirSync(join(data, 'ledger'))).toEqual([])
    },
  )
})

/** Runs a changed step in this process, with a data folder of its own. */
async function run(changed: Partial<Step<Measured>>): Promise<Report> {
  vi.stubEnv('MINILAB_DATA', userData('root'))
  const options = { rootless: false, runtime: 'minilab', ask: false }
  return runStep({ ...step, ...changed }, options)
}

test.skipIf(!isRoot || !canLimit)(`the right predictions are among the choices${noLimits}`, async () => {
  const stages = step.stages.map(({ predict, checks: own = [], ...stage }, i) => {
    if (!predict) return { ...stage, checks: own }
    const answered = {
      id: `prediction-${i}`,
      claim: predict.question,
      async look(scene: Parameters<typeof predict.answer>[0]) {
        const answer = await predict.answer(scene)
        return finding(predict.choices.includes(answer), seen('', null, answer), 'no choice')
      },
    }
    return { ...stage, checks: [answered] }
  })
  const report = await run({ stages })
  const answers = report.checks.filter(check => check.id.startsWith('prediction'))
  expect(failed(report)).toEqual([])
  expect(answers.map(check => check.evidence[0]?.container)).toEqual([
    '/',
    '137',
    'a fifth of it',
    'at most 20: no more could be started',
  ])
})

test('--dry-run makes nothing; --spec has the limits', () => {
  const data = join(userFolder(), 'not-made')
  const minilab = (...args: string[]) =>
    execFileSync(process.execPath, ['bin.mjs', 'step', '4', ...args], {
      cwd: join(import.meta.dirname, '../..'),
      encoding: 'utf8',
      env: { ...process.env, MINILAB_DATA: data },
    })
  expect(minilab('--dry-run')).toContain('unshare(CLONE_NEWCGROUP)')
  expect(existsSync(data)).toBe(false)
  const { linux } = JSON.parse(minilab('--spec')) as { linux: { resources?: object; cgroupsPath?: string } }
  if (canLimit)
    expect(linux).toMatchObject({
      cgroupsPath: expect.stringMatching(/\/minilab\/[0-9a-f]+-0$/) as string,
      resources: { memory: { limit: LIMITS.memory }, pids: { limit: LIMITS.pids } },
    })
  else expect(linux.cgroupsPath).toBeUndefined()
})
