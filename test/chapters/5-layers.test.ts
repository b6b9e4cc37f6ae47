import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { checks } from '../../chapters/5-layers/checks.ts'
import { type Stack, step } from '../../chapters/5-layers/step.ts'
import { runStep } from '../../lib/guide/run-step.ts'
import type { Check, Report, Step } from '../../lib/guide/step.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { isRoot, left, runMinilab, userFolder, type UserName, users, userData } from '../support/minilab.ts'

afterEach(() => void vi.unstubAllEnvs())

const IDS = Object.values(checks).map(check => check.id)

/** The step's document, and the exit status that goes with it. */
async function document(user: UserName, data: string, wrapper: string[] = []): Promise<Report> {
  const ran = await runMinilab(['step', '5', '--yes', '--json'], { user, data, wrapper })
  expect(ran.stderr).toBe('')
  const [report] = ran.json()
  expect(ran.status).toBe(report?.ok ? 0 : 1)
  return report!
}

const failed = (report: Report) => report.checks.filter(check => check.ok === false)
const imageLayers = (data: string) =>
  readdirSync(join(data, 'layers')).map(name => join(data, 'layers', name, 'diff'))

describe.each(users)('as %s', user => {
  test('every check holds, and nothing is left', async () => {
    const data = userData(user)
    const report = await document(user, data)
    expect(failed(report)).toEqual([])
    expect(report.checks.map(check => check.id).sort()).toEqual([...IDS].sort())
    expect(report).toMatchObject({ step: 5, mode: user === 'root' ? 'root' : 'rootless', limited: [] })
    expect(left(report)).toEqual([])
    // the kernel's side of it: no mount, no directory of a container, although overlay locks one of them (work/work)
    expect(mountinfo().filter(m => m.target.startsWith(data))).toEqual([])
    expect(readdirSync(join(data, 'containers'))).toEqual([])
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
  })

  test('the tape has the overlay before the root, and the containers are three', async () => {
    const report = await document(user, userData(user))
    const calls = report.tape.map(({ call, args }) => `${call} ${args}`)
    const overlay = calls.findIndex(call => call.startsWith('mount "overlay"'))
    expect(overlay).toBeGreaterThan(0)
    expect(calls.findIndex(call => call.startsWith('pivot_root'))).toBeGreaterThan(overlay)
    expect(calls.at(-1)).toMatch(/^execve /)
    expect(report.launches.map(({ purpose }) => purpose)).toEqual([
      'a second container on the same layers',
      'a third container, on the packed layer and the image',
    ])
  })

  test('twice on one image, in a folder whose name needs escaping: the image stays what it was', async () => {
    const data = join(userFolder(user), 'a:b,c\\d e')
    expect(failed(await document(user, data))).toEqual([])
    const before = imageLayers(data).map(dir => treeDigest(dir).hash)
    expect(failed(await document(user, data))).toEqual([])
    expect(imageLayers(data).map(dir => treeDigest(dir).hash)).toEqual(before)
  })

  test("on an image of the host's own programs", async context => {
    context.skip(!isRoot, 'hiding busybox takes a mount')
    const hide = 'for f in /bin/busybox /usr/bin/busybox; do [ ! -e $f ] || mount --bind /dev/null $f; done'
    const become = user === 'root' ? [] : ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    const wrapper = ['unshare', '--mount', '/bin/sh', '-ec', `${hide}; exec "$@"`, 'sh', ...become]
    const data = userData(user)
    expect(failed(await document('root', data, wrapper))).toEqual([])
    expect(readdirSync(join(imageLayers(data)[0]!, 'usr'))).not.toContain('busybox')
  })
})

test('on a kernel or a disk without overlay it is limited, with what to do', async context => {
  context.skip(!isRoot, 'an overlay under the data folder takes a mount by root')
  const folder = userFolder()
  for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(folder, name))
  // as in a container of Docker's, whose root is an overlay itself
  const mount = `cd ${folder}; mount -t overlay overlay merged -o lowerdir=lower,upperdir=upper,workdir=work`
  const wrapper = ['unshare', '--mount', '/bin/sh', '-ec', `${mount}; exec "$@"`, 'sh']
  const report = await document('root', join(folder, 'merged/data'), wrapper)
  expect(report.checks.map(({ ok }) => ok)).toEqual(report.checks.map(() => null))
  expect(report.limited).toHaveLength(step.stages.length)
  expect(report.limited[0]).toMatchObject({
    reason: expect.stringMatching(/merged\/data is itself on an overlay/),
    remedy: expect.stringMatching(/MINILAB_DATA=/),
  })
  expect(left(report)).toEqual([])
})

test('--dry-run prints the mount and makes nothing', async () => {
  const folder = userFolder()
  const { status, stdout } = await runMinilab(['step', '5', '--dry-run'], { data: join(folder, 'data') })
  expect(status).toBe(0)
  expect(stdout).toMatch(/^mount\("overlay", ".*\/merged", "overlay", 0, "lowerdir=.*,upperdir=.*,workdir=/m)
  expect(readdirSync(folder)).toEqual([])
})

const quietly = { runtime: 'minilab', ask: false, rootless: !isRoot }
const run = (changed: Step<Stack>) => runStep(changed, quietly)

test('what the kernel answers to each prediction is one of the choices', async () => {
  vi.stubEnv('MINILAB_DATA', userData())
  const answers: string[] = []
  const stages = step.stages.map(stage => {
    const look: Check<Stack>['look'] = async scene => {
      const answer = await stage.predict?.answer(scene)
      if (answer) answers.push(answer)
      return { ok: true, evidence: [] }
    }
    return { ...stage, checks: [{ id: 'answer', claim: '', look }] }
  })
  await run({ ...step, stages })
  expect(answers).toEqual(['the whole file, with the line', 'a character device', 'none'])
  const choices = step.stages.flatMap(({ predict }) => predict?.choices ?? [])
  expect(choices).toEqual(expect.arrayContaining(answers))
})
