import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { checks } from '../../chapters/3-root/checks.ts'
import { type Roots, step } from '../../chapters/3-root/step.ts'
import { runStep } from '../../lib/guide/run-step.ts'
import type { Check, Report, Step } from '../../lib/guide/step.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { isRoot, left, runMinilab, self, allUsers, modesOf, userData, thorough } from '../support/minilab.ts'

afterEach(() => void vi.unstubAllEnvs())

const IDS = Object.values(checks).map(check => check.id)

describe.each(modesOf([...allUsers, ...(isRoot ? (['rootless'] as const) : [])]))('as %s', who => {
  const user = who === 'ordinary' ? who : self
  const flags = who === 'rootless' ? ['--rootless'] : []

  test('every check holds, and nothing is left', async () => {
    const data = userData(user)
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
    const attack = ['chroot', ...Array<string>(32).fill('chdir'), 'chroot', 'newfstatat', 'exit_group']
    const [first, second, underneath, ...more] = report!.launches.map(({ tape }) => tape)
    const breakOuts = [first!, second!].map(tape => tape.slice(-attack.length))
    expect(breakOuts.map(tape => tape.map(({ call }) => call))).toEqual([attack, attack])
    expect(breakOuts.flat().filter(({ errno }) => errno !== null)).toEqual([])

    // then the root is to be unmounted: it is the root of its mount namespace, and nothing lies under it
    const refused = underneath!.filter(({ errno }) => errno !== null)
    expect(refused.map(({ call, errno }) => [call, errno])).toEqual([['umount2', 'EINVAL']])
    expect(shown('nothing-underneath')).toBe(shown('own-root'))
    expect(more).toEqual([])
  })

  test('the image is as it was', async () => {
    const data = userData(user)
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
  vi.stubEnv('MINILAB_DATA', userData())
  const options = { rootless: !isRoot, runtime: 'minilab', ask: false }
  return runStep({ ...step, ...changed }, options)
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
  expect(answers).toEqual(["the host's root", 'none of them'])
  const choices = step.stages.flatMap(({ predict }) => predict?.choices ?? [])
  expect(choices).toEqual(expect.arrayContaining(answers))
})

test('each stage shows the calls that it explains, and says why the kernel refused some', async () => {
  const { stdout } = await runMinilab(['step', '3', '--yes', '--plain'], {
    data: userData(),
    env: { COLUMNS: '100' },
  })
  const stages = stdout.split(/^ \d\/5 /m)
  const marked = stages.map(text => [...text.matchAll(/▸ │ (\w+\("?[^",]*)/g)].map(([, call]) => call))
  expect(marked).toEqual([
    [],
    [],
    ['pivot_root(".', 'umount2(".'],
    [],
    ['mount("proc', 'mount("devpts', 'mount("sysfs'],
    ['mount(NULL'],
  ])
  expect(stages[4]).toMatch(/= -1 EEXIST [^]*\n +EEXIST: the image has this directory already/)
  expect(stages[5]).toMatch(/= -1 ENOENT [^]*\n +ENOENT: this kernel has no such file/)
  expect(stages[2]).not.toMatch(/-1 E/)
})

describe('built wrongly, in the sandbox', () => {
  const wrongly = async (flags: string[], data = userData()) => {
    const ran = await runMinilab(['step', '3', '--json', ...flags], { data })
    expect(ran.stderr).toBe('')
    return ran.json()[0]!
  }
  const failed = (report: Report) => report.checks.filter(({ ok }) => ok === false).map(({ id }) => id)

  test.each([
    ['pivot_root', ['own-root', 'old-root-gone', 'pivot-holds']] as const,
    ...thorough([
      ['root', ['own-root', 'old-root-gone', 'pivot-holds']] as const,
      ['umount2', ['old-root-gone', 'pivot-holds']] as const,
      ['move_mount', ['devices']] as const,
      ['symlinkat', ['own-terminals', 'fd-links']] as const,
      ['user', []] as const,
    ]),
  ])('without %s the checks see it, and write nowhere', async (call, ids) => {
    expect(failed(await wrongly(['--without', call]))).toEqual(expect.arrayContaining([...ids]))
    const made = ['/', '/dev/shm']
      .flatMap(path => readdirSync(path))
      .filter(name => /^(second|not-here)/.test(name))
    expect(made).toEqual([])
  })

  test('who can write to the image takes that back', async () => {
    const data = userData()
    const files = () => readdirSync(join(data, 'layers'), { recursive: true }).toSorted()
    await wrongly([], data)
    const before = files()
    expect(failed(await wrongly(['--mutant', 'one-call'], data))).toContain('readonly-root')
    expect(files()).toEqual(before)
  })
})
