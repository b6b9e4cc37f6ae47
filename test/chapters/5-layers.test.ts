import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { checks } from '../../chapters/5-layers/checks.ts'
import { type Stack, step } from '../../chapters/5-layers/step.ts'
import { layers } from '../../lib/container/layers.ts'
import type { Container, Part } from '../../lib/container/part.ts'
import { onImageLayers } from '../../lib/guide/image-layers.ts'
import { Presenter } from '../../lib/guide/present.ts'
import { runStep } from '../../lib/guide/run-step.ts'
import type { Check, Report, Stage, Step } from '../../lib/guide/step.ts'
import { packLayer, unpackLayer } from '../../lib/image/layer.ts'
import { treeDigest } from '../../lib/image/tree-digest.ts'
import { MS_BIND, MS_REC } from '../../lib/kernel/constants.ts'
import { mountinfo } from '../../lib/kernel/mountinfo.ts'
import { isRoot, left, runMinilab, userFolder, type UserName, users } from '../support/minilab.ts'

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
    const data = userFolder(user)
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
    const report = await document(user, userFolder(user))
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

  test('on an image of the host’s own programs', async context => {
    context.skip(!isRoot, 'hiding busybox takes a mount')
    const hide = 'for f in /bin/busybox /usr/bin/busybox; do [ ! -e $f ] || mount --bind /dev/null $f; done'
    const become = user === 'root' ? [] : ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    const wrapper = ['unshare', '--mount', '/bin/sh', '-ec', `${hide}; exec "$@"`, 'sh', ...become]
    const data = userFolder(user)
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
    reason: expect.stringMatching(/merged\/data lies on an overlay itself/),
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

const quietly = { runtime: 'minilab', keep: false, ask: false, command: [], rootless: !isRoot }
const run = (changed: Step<Stack>) =>
  runStep(changed, { ...quietly, presenter: new Presenter({ quiet: true }) })

test('what the kernel answers to each prediction is one of the choices', async () => {
  vi.stubEnv('MINILAB_DATA', userFolder())
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

/** Wrong ways to build it. Each check must see through them, and say why. */
describe('mutants', () => {
  const replaced = (inside: Part['inside']) =>
    step.parts.map(part => (part === layers ? { ...layers, inside } : part))
  /** The last stage done otherwise: how the layer is packed and unpacked, and where it goes in the third's stack. */
  const layerMade = (packed: boolean, unpacked: boolean, put: 'unshift' | 'push'): Partial<Step<Stack>> => {
    const act: Stage<Stack>['act'] = async lab => {
      const { scene } = lab
      const dir = lab.folder('layer')
      ;[scene.tar, scene.unpacked] = [join(dir, 'layer.tar'), join(dir, 'unpacked')]
      await packLayer(join(scene.folder, 'upper'), scene.tar, { overlay: packed })
      await unpackLayer(scene.tar, scene.unpacked, { overlay: unpacked })
      const change = ({ layers }: Container) => void layers?.lower[put](scene.unpacked)
      const { pid, shell, container } = await lab.another('a third container', { change })
      scene.third = { pid, shell, folder: container.layers!.folder }
    }
    return { stages: [...step.stages.slice(0, -1), { ...step.stages.at(-1)!, act }] }
  }

  const mutants: { name: string; change: Partial<Step<Stack>>; rejected: Record<string, RegExp> }[] = [
    {
      name: 'the image bound in place of an overlay',
      change: {
        parts: replaced((tape, { layers, rootfs }) =>
          tape.mount(layers!.lower.at(-1)!, rootfs, null, MS_BIND | MS_REC, null),
        ),
      },
      rejected: {
        'overlay-root': /plain directory/,
        'overlay-hidden': /never mounted/,
        'copy-up': /no copy/,
        'original-kept': /without an overlay/,
        whiteout: /deleted from the image/,
        unseen: /both write to the image/,
        'writes-in-upper': /a write went to the image/,
        'lower-untouched': /root is the image’s directory/,
      },
    },
    {
      name: 'one upper directory for all containers',
      change: {
        container(container: Container) {
          onImageLayers(container)
          const folder = container.layers!.folder.replace(/\d+$/, '0')
          container.layers!.folder = folder
          container.rootfs = join(folder, 'merged')
        },
      },
      rejected: { unseen: /same upper directory/, 'writes-in-upper': /other container/ },
    },
    {
      name: 'no userxattr in a user namespace',
      change: {
        parts: replaced((tape, { layers, rootfs }) => {
          const { lower, folder } = layers!
          const options = `lowerdir=${lower.join(':')},upperdir=${folder}/upper,workdir=${folder}/work`
          tape.mount('overlay', rootfs, 'overlay', 0, options)
        }),
      },
      rejected: { opaque: /without userxattr/ },
    },
    {
      name: 'the upper directory packed as any other',
      change: layerMade(false, true, 'unshift'),
      rejected: { 'oci-whiteouts': /plain tar/ },
    },
    {
      name: 'the layer unpacked without its whiteouts',
      change: layerMade(true, false, 'unshift'),
      rejected: { 'same-tree': /whiteouts were not turned back/, 'same-view': /Likeliest/ },
    },
    {
      name: 'the new layer below the image',
      change: layerMade(true, true, 'push'),
      rejected: { 'same-view': /wrong order/ },
    },
    {
      name: 'the image copied for each container',
      change: {
        container(container: Container) {
          onImageLayers(container)
          const { lower, folder } = container.layers!
          container.ledger.add({ kind: 'folder', path: folder })
          const copies = lower.map((_, i) => join(folder, `copy-${i}`))
          mkdirSync(folder, { recursive: true })
          lower.forEach((dir, i) => execFileSync('cp', ['-a', dir, copies[i]!]))
          container.layers!.lower = copies
        },
      },
      rejected: { 'overlay-root': /Expected/, 'shared-lower': /copied for each container/ },
    },
    {
      name: 'the image copied up before the start',
      change: {
        container(container: Container) {
          onImageLayers(container)
          const { lower, folder } = container.layers!
          container.ledger.add({ kind: 'folder', path: folder })
          mkdirSync(folder, { recursive: true })
          execFileSync('cp', ['-a', lower[0]!, join(folder, 'upper')])
        },
      },
      rejected: { 'upper-empty': /There is already/, 'nothing-copied': /copied to the upper/ },
    },
    {
      name: 'written to where nothing is mounted',
      change: {
        container(container: Container) {
          onImageLayers(container)
          container.ledger.add({ kind: 'folder', path: container.layers!.folder })
          mkdirSync(join(container.rootfs, 'lost'), { recursive: true })
        },
      },
      rejected: { 'overlay-hidden': /nothing was mounted there/ },
    },
  ]

  test.each(mutants)('$name', async ({ change, rejected }) => {
    vi.stubEnv('MINILAB_DATA', userFolder())
    const report = await run({ ...step, ...change })
    for (const [id, diagnosis] of Object.entries(rejected)) {
      expect(report.checks.find(check => check.id === id)).toMatchObject({
        ok: false,
        diagnosis: expect.stringMatching(diagnosis),
      })
    }
    expect(left(report)).toEqual([])
  })
})
