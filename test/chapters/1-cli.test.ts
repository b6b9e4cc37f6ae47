import { afterEach, describe, expect, test, vi } from 'vitest'
import { checks } from '../../chapters/1-cli/checks.ts'
import { type Started, step } from '../../chapters/1-cli/step.ts'
import { runStep } from '../../lib/guide/run-step.ts'
import type { Check, Step } from '../../lib/guide/step.ts'
import { namespaceInode, NAMESPACES } from '../../lib/kernel/process/procfs.ts'
import { isRoot, left, runMinilab, self, allUsers, modesOf, userData } from '../support/minilab.ts'

afterEach(() => void vi.unstubAllEnvs())

const IDS = Object.values(checks).map(check => check.id)

describe.each(modesOf([...allUsers, ...(isRoot ? (['rootless'] as const) : [])]))('as %s', who => {
  const user = who === 'ordinary' ? who : self
  const run = async () => {
    const flags = who === 'rootless' ? ['--rootless'] : []
    const ran = await runMinilab(['step', '1', '--json', ...flags], { user })
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    expect(ran.json()).toHaveLength(1)
    return ran.json()[0]!
  }

  test('every check holds, and nothing is left', async () => {
    const report = await run()
    expect(report.checks.map(({ id, ok, limited }) => ({ id, ok, limited }))).toEqual(
      IDS.map(id => ({ id, ok: true, limited: null })),
    )
    expect(report).toMatchObject({
      step: 1,
      ok: true,
      mode: who === 'root' ? 'root' : 'rootless',
      limited: [],
    })
    expect(left(report)).toEqual([])
    expect(report.host.changed).toEqual([expect.stringMatching(/^\+ process \d+ \(sh\)$/)]) // no namespace
  })

  test('the namespaces that it shows are ours', async () => {
    const { evidence } = (await run()).checks.find(({ id }) => id === 'nothing-isolated')!
    expect(evidence.map(({ host, container }) => [host, container])).toEqual(
      NAMESPACES.map(kind => Array(2).fill(String(namespaceInode('self', kind)))),
    )
  })

  test('the tape hands on descriptors, waits at the gate, and becomes the program', async () => {
    const { tape, launches } = await run()
    const calls = tape.map(({ call }) => call)
    expect([...new Set(calls)]).toEqual([
      'setsid',
      'umask',
      'dup3',
      'rt_sigaction',
      'close',
      'write',
      'read',
      'fcntl',
      'execveat',
      'prctl',
      'close_range',
      'chdir',
      'execve',
    ])
    expect(tape.at(-1)!.args).toBe('"/bin/sh", ["/bin/sh", "-s", "--", "one", "two words", ""], /* 3 vars */')
    expect(launches.map(({ purpose }) => purpose)).toEqual([
      'a shell that is told: exit 42',
      'a shell that is told: kill -TERM $$',
    ])
    for (const launch of launches) expect(launch.tape.at(-1)!.args).toBe(tape.at(-1)!.args)
  })

  test('several at the same time do not see each other', async () => {
    const reports = await Promise.all([run(), run(), run()])
    for (const report of reports) expect(left(report)).toEqual([])
  })
})

/** The step with some of it changed, in this process. */
async function run(changed: Partial<Step<Started>>) {
  vi.stubEnv('MINILAB_DATA', userData())
  const options = { rootless: !isRoot, runtime: 'minilab', ask: false }
  return runStep({ ...step, ...changed }, options)
}

test('what the kernel answers to the prediction is one of the choices', async () => {
  const answers: unknown[] = []
  const look: Check<Started>['look'] = async scene => {
    for (const { predict } of step.stages) if (predict) answers.push(await predict.answer(scene))
    return { ok: true, evidence: [] }
  }
  await run({ stages: [{ ...step.stages[0]!, checks: [{ id: 'answer', claim: '', look }] }] })
  expect(answers).toEqual(['0'])
  expect(step.stages.flatMap(({ predict }) => predict?.choices ?? [])).toContain('0')
})
