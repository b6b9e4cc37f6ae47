import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { checks } from '../../chapters/3-root/checks.ts'
import { type Roots, step } from '../../chapters/3-root/step.ts'
import type { Part } from '../../lib/container/part.ts'
import { root } from '../../lib/container/root.ts'
import type { Spec } from '../../lib/container/spec.ts'
import { Presenter } from '../../lib/guide/present.ts'
import { runStep } from '../../lib/guide/run-step.ts'
import type { Check, Step } from '../../lib/guide/step.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { MS_REC, MS_SHARED } from '../../lib/kernel/constants.ts'
import { mountinfo } from '../../lib/kernel/mountinfo.ts'
import type { Op, Tape } from '../../lib/kernel/tape.ts'
import { isRoot, left, runMinilab, userFolder, users } from '../support/minilab.ts'

afterEach(() => void vi.unstubAllEnvs())

const IDS = Object.values(checks).map(check => check.id)

describe.each([...users, ...(isRoot ? (['rootless'] as const) : [])])('as %s', who => {
  const user = who === 'ordinary' ? who : users[0]!
  const flags = who === 'rootless' ? ['--rootless'] : []

  test('every check holds, and nothing is left', async () => {
    const data = userFolder(user)
    const mounts = mountinfo()
    const ran = await runMinilab(['step', '3', '--json', ...flags], { user, data })
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    const [report, ...others] = ran.json()
    expect(others).toEqual([])
    expect(report!.checks.map(({ id, ok, limited }) => ({ id, ok, limited }))).toEqual(
      step.stages.flatMap(({ checks = [] }) => checks).map(({ id }) => ({ id, ok: true, limited: null })),
    )
    expect(report!.checks.map(({ id }) => id).sort()).toEqual([...IDS].sort())
    expect(report).toMatchObject({
      step: 3,
      ok: true,
      mode: who === 'root' ? 'root' : 'rootless',
      limited: [],
    })
    expect(left(report!)).toEqual([])
    expect(mountinfo()).toEqual(mounts)
    for (const folder of ['containers', 'ledger']) expect(readdirSync(join(data, folder))).toEqual([])

    // the break-out: the same calls twice, none refused, out of the chroot to this machine's root, and then no more
    const { dev, ino } = statSync('/', { bigint: true })
    const shown = (id: string) => report!.checks.find(check => check.id === id)!.evidence[0]!.container
    expect(shown('chroot-escape')).toBe(`${dev}:${ino}`)
    expect(shown('pivot-holds')).toBe(shown('own-root'))
    const attack = [
      'mkdirat',
      'chroot',
      ...Array<string>(32).fill('chdir'),
      'chroot',
      'newfstatat',
      'exit_group',
    ]
    const launches = report!.launches.map(({ tape }) => tape.slice(-attack.length))
    expect(launches.map(tape => tape.map(({ call }) => call))).toEqual([attack, attack])
    expect(launches.flat().filter(({ errno }) => errno !== null)).toEqual([])
  })

  test('the image is as it was', async () => {
    const data = userFolder(user)
    const digests = () =>
      readdirSync(join(data, 'layers')).map(name => treeDigest(join(data, 'layers', name, 'diff')).hash)
    await runMinilab(['step', '3', '--json', ...flags], { user, data })
    const before = digests()
    await runMinilab(['step', '3', '--json', ...flags], { user, data })
    expect(digests()).toEqual(before)
    expect(before).toHaveLength(1)
  })
})

/** The step with some of it changed, in this process. */
async function run(changed: Partial<Step<Roots>>) {
  vi.stubEnv('MINILAB_DATA', userFolder())
  const options = { rootless: !isRoot, runtime: 'minilab', keep: false, ask: false, command: [] }
  return runStep({ ...step, ...changed }, { ...options, presenter: new Presenter({ quiet: true }) })
}

test('what the kernel answers to each prediction is one of the choices', async () => {
  const answers: string[] = []
  const stages = step.stages.map(stage => {
    const look: Check<Roots>['look'] = async scene => {
      const answer = await stage.predict?.answer(scene)
      if (answer) answers.push(answer)
      return { ok: true, evidence: [] }
    }
    return { ...stage, checks: [{ id: 'answer', claim: '', look }] }
  })
  await run({ stages })
  expect(answers).toEqual(['the host’s root', 'the container’s root'])
  const choices = step.stages.flatMap(({ predict }) => predict?.choices ?? [])
  expect(choices).toEqual(expect.arrayContaining(answers))
})

/** Wrong ways to build it, all in a mount namespace of their own. Each check must see through them, and say why. */
describe('mutants', () => {
  /** The part with other calls on its tape. */
  const calls = (change: (ops: Op[]) => Op[], then?: (tape: Tape) => void): Partial<Step<Roots>> => {
    const inside: Part['inside'] = (tape, container, gate) => {
      // where the break-out gets out, it makes its directory in there: not in this machine's
      tape.mount('none', '/dev/shm', 'tmpfs', 0, null)
      const before = tape.ops.length
      root.inside?.(tape, container, gate)
      tape.ops.push(...change(tape.ops.splice(before)))
      then?.(tape)
    }
    return { parts: step.parts.map(part => (part === root ? { ...root, inside } : part)) }
  }
  const without = (call: string, place?: string) =>
    calls(ops => ops.filter(op => op.call !== call || (place && !op.args.includes(place))))
  const asking = (change: (spec: Spec) => void): Partial<Step<Roots>> => ({
    spec(spec, lab) {
      step.spec?.(spec, lab)
      change(spec)
    },
  })
  const bound = (path: string) =>
    asking(spec => {
      const mount = spec.mounts.find(({ destination }) => destination === path)!
      Object.assign(mount, { type: 'bind', source: path, options: ['rbind'] })
    })

  const mutants: { name: string; change: Partial<Step<Roots>>; rejected: Record<string, RegExp> }[] = [
    {
      name: 'chroot in place of pivot_root',
      change: calls(ops =>
        ops
          .filter(({ call }) => call !== 'umount2')
          .map(op => (op.call === 'pivot_root' ? { ...op, call: 'chroot', args: ['.'] } : op)),
      ),
      rejected: { 'pivot-holds': /It reached the host\. Likeliest: chroot in place of pivot_root/ },
    },
    {
      name: 'the old root never unmounted',
      change: without('umount2'),
      rejected: { 'old-root-gone': /still mounted at .*umount2\(put_old, MNT_DETACH\) was forgotten/ },
    },
    {
      name: 'mounts shared',
      change: calls(
        ops => ops,
        tape => tape.mount(null, '/', null, MS_REC | MS_SHARED, null),
      ),
      rejected: { 'private-mounts': /MS_REC\|MS_PRIVATE, NULL\) was forgotten/ },
    },
    {
      name: 'the host’s /proc bound',
      change: bound('/proc'),
      rejected: { 'own-proc': /shows the host’s processes\. Likeliest: \/proc was bound/ },
    },
    {
      name: 'no /proc',
      change: asking(spec => void (spec.mounts = spec.mounts.filter(m => m.destination !== '/proc'))),
      rejected: { 'own-proc': /There is no \/proc\. Likeliest: the mount was left out/ },
    },
    {
      name: 'the host’s terminals bound',
      change: bound('/dev/pts'),
      rejected: { 'own-terminals': /newinstance .*bound from the host/ },
    },
    {
      name: 'no /dev/tty',
      change: calls(ops =>
        ops.filter(({ call, args }) => call === 'open_tree' || !args.includes('/dev/tty')),
      ),
      rejected: { devices: /mknod was refused .*or plain files were left/ },
    },
    {
      name: 'no links in /dev',
      change: without('symlinkat'),
      rejected: { 'fd-links': /symbolic links were left out/, 'own-terminals': /ptmx does not lead to/ },
    },
    {
      name: 'nothing masked',
      change: asking(spec => void (spec.linux.maskedPaths = [])),
      rejected: { masked: /^Readable: .*maskedPaths/ },
    },
    {
      name: 'nothing made read-only',
      change: asking(spec => void (spec.linux.readonlyPaths = [])),
      rejected: { 'readonly-paths': /second call with MS_REMOUNT/ },
    },
    {
      name: 'an image that can be written to',
      change: asking(spec => void (spec.root.readonly = false)),
      rejected: { 'readonly-root': /never remounted with MS_BIND\|MS_REMOUNT\|MS_RDONLY/ },
    },
  ]

  test.each(mutants)('$name', async ({ change, rejected }) => {
    const report = await run(change)
    const failed = report.checks.filter(({ ok }) => ok === false)
    expect(Object.fromEntries(failed.map(({ id, diagnosis }) => [id, diagnosis]))).toMatchObject(
      Object.fromEntries(Object.entries(rejected).map(([id, why]) => [id, expect.stringMatching(why)])),
    )
    expect(report.ok).toBe(false)
    expect(left(report)).toEqual([])
  })
})
