import { readFileSync } from 'node:fs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { checks } from '../../chapters/2-namespaces/checks.ts'
import { type Made, step } from '../../chapters/2-namespaces/step.ts'
import { runStep } from '../../lib/guide/run-step.ts'
import type { Check, Report } from '../../lib/guide/step.ts'
import { NAMESPACES, namespaceInode } from '../../lib/kernel/process/procfs.ts'
import { isRoot, left, runMinilab, self, allUsers, modesOf, userData, thorough } from '../support/minilab.ts'

afterEach(() => void vi.unstubAllEnvs())

const { inodes, ...others } = checks
const IDS = [...inodes, ...Object.values(others)].map(check => check.id)

describe.each(modesOf([...allUsers, ...(isRoot ? (['rootless'] as const) : [])]))('as %s', who => {
  const user = who === 'ordinary' ? who : self

  test('every check holds, and nothing is left', async () => {
    const host = () =>
      ['hostname', 'domainname'].map(name => readFileSync(`/proc/sys/kernel/${name}`, 'utf8'))
    const before = host()
    const flags = who === 'rootless' ? ['--rootless'] : []
    const ran = await runMinilab(['step', '2', '--json', ...flags], { user })
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    const [report, ...others] = ran.json()
    expect(others).toEqual([])
    expect(report!.checks.map(({ id, ok, limited }) => ({ id, ok, limited }))).toEqual(
      IDS.map(id => ({ id, ok: true, limited: null })),
    )
    expect(report).toMatchObject({
      step: 2,
      ok: true,
      mode: who === 'root' ? 'root' : 'rootless',
      limited: [],
    })
    expect(left(report!)).toEqual([])
    expect(host()).toEqual(before)

    // what it shows of the host is what we see, and each inode of the container is another
    const inodes = report!.checks
      .filter(({ id }) => id.startsWith('own-'))
      .map(({ evidence }) => evidence[0]!)
    expect(inodes.map(({ host }) => host)).toEqual(
      NAMESPACES.map(kind => String(namespaceInode('self', kind))),
    )
    expect(new Set(inodes.flatMap(({ host, container }) => [host, container])).size).toBe(
      2 * NAMESPACES.length,
    )
    const made = report!.host.changed.filter(line => line.startsWith('+ namespace'))
    expect(made.sort()).toEqual(
      NAMESPACES.map((kind, i) => `+ namespace ${kind}:[${inodes[i]!.container}]`).sort(),
    )
  })
})

test('what the kernel answers to each prediction is one of the choices', async () => {
  vi.stubEnv('MINILAB_DATA', userData())
  const answers: string[] = []
  const look: Check<Made>['look'] = async scene => {
    for (const { predict } of step.stages) if (predict) answers.push(await predict.answer(scene))
    return { ok: true, evidence: [] }
  }
  const stages = [{ ...step.stages[0]!, checks: [{ id: 'answers', claim: '', look }] }]
  const options = { rootless: !isRoot, runtime: 'minilab', ask: false }
  await runStep({ ...step, stages }, options)
  expect(answers).toEqual(['1', 'a day longer than on the host'])
  const choices = step.stages.flatMap(({ predict }) => predict?.choices ?? [])
  expect(choices).toEqual(expect.arrayContaining(answers))
})

describe('built wrongly, in the sandbox', () => {
  const wrongly = async (...kinds: string[]) => {
    const flags = kinds.flatMap(kind => ['--without', kind])
    const ran = await runMinilab(['step', '2', '--json', ...flags])
    expect(ran.stderr).toBe('')
    return ran.json()[0]!
  }
  const failed = (report: Report) => report.checks.filter(({ ok }) => ok === false).map(({ id }) => id)

  test('a mount or a link that comes out is found on the host, too', async () => {
    expect((await wrongly('user', 'mount')).host.left).toEqual(['+ mount tmpfs on /run'])
    expect((await wrongly('network')).host.left.sort()).toEqual([
      expect.stringMatching(/^\+ link in-/),
      expect.stringMatching(/^\+ link in-.*-peer$/),
    ])
  })

  test('without any namespace every check fails, and none breaks down', async () => {
    expect(failed(await wrongly('namespaces'))).toEqual(IDS)
  })

  test.each(['mnt', ...thorough(['user', 'pid', 'uts', 'ipc', 'net', 'cgroup', 'time'])])(
    'without %s, its inode tells',
    async kind => {
      const inodes = failed(await wrongly(kind)).filter(id => id.startsWith('own-'))
      expect(inodes).toEqual([`own-${kind}`])
    },
  )
})
