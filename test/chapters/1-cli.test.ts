import { afterEach, describe, expect, test, vi } from 'vitest'
import { checks } from '../../chapters/1-cli/checks.ts'
import { type Started, step } from '../../chapters/1-cli/step.ts'
import type { Container, Part } from '../../lib/container/part.ts'
import { program } from '../../lib/container/program.ts'
import type { ProcessSpec } from '../../lib/container/spec.ts'
import { Presenter } from '../../lib/guide/present.ts'
import { runStep } from '../../lib/guide/run-step.ts'
import type { Check, Step } from '../../lib/guide/step.ts'
import { CLONE_NEWUSER, CLONE_NEWUTS } from '../../lib/kernel/constants.ts'
import { namespaceInode, NAMESPACES } from '../../lib/kernel/procfs.ts'
import type { Tape } from '../../lib/kernel/tape.ts'
import { isRoot, left, runMinilab, userFolder, users } from '../support/minilab.ts'

afterEach(() => void vi.unstubAllEnvs())

const IDS = Object.values(checks).map(check => check.id)
const SIGUSR1 = 10

describe.each([...users, ...(isRoot ? (['rootless'] as const) : [])])('as %s', who => {
  const user = who === 'ordinary' ? who : users[0]!
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
      'dup3',
      'rt_sigaction',
      'close',
      'write',
      'read',
      'chdir',
      'prctl',
      'close_range',
      'execve',
    ])
    expect(tape.at(-1)!.args).toBe('"/bin/sh", ["/bin/sh", "-s", "--", "one", "two words", ""], /* 3 vars */')
    expect(launches.map(({ purpose }) => purpose)).toEqual(['exit with 42', 'die by SIGTERM'])
    expect(launches[0]!.tape.at(-1)!.args).toBe('"/bin/sh", ["/bin/sh", "-c", "exit 42"], /* 3 vars */')
  })

  test('several at the same time do not see each other', async () => {
    const reports = await Promise.all([run(), run(), run()])
    for (const report of reports) expect(left(report)).toEqual([])
  })
})

/** The step with some of it changed, in this process. */
async function run(changed: Partial<Step<Started>>) {
  vi.stubEnv('MINILAB_DATA', userFolder())
  const options = { rootless: !isRoot, runtime: 'minilab', keep: false, ask: false, command: [] }
  return runStep({ ...step, ...changed }, { ...options, presenter: new Presenter({ quiet: true }) })
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

/** Wrong ways to start a program. Each check must see through them, and say why. */
describe('mutants', () => {
  const changed = (part: Partial<Part>): Partial<Step<Started>> => ({ parts: [{ ...program, ...part }] })
  /** Another program than was asked for. */
  const asking = (change: (asked: ProcessSpec) => Partial<ProcessSpec>) =>
    changed({
      inside(tape: Tape, container: Container, gate) {
        const { process } = container.spec
        const spec = { ...container.spec, process: { ...process, ...change(process) } }
        program.inside?.(tape, { ...container, spec }, gate)
      },
    })
  /** A call more just before, or less. */
  const tampered = (tamper: (tape: Tape) => void) =>
    changed({
      inside(tape, container, gate) {
        program.inside?.(tape, container, gate)
        const execve = tape.ops.pop()!
        tamper(tape)
        tape.ops.push(execve)
      },
    })

  const mutants: { name: string; change: Partial<Step<Started>>; rejected: Record<string, RegExp> }[] = [
    {
      name: 'arguments joined to a line, and split again',
      change: asking(({ args }) => ({ args: args.join(' ').split(' ') })),
      // sh -c exit 42: its command is "exit", and 42 is its name
      rejected: { argv: /joined into one string/, 'exit-status': /shell .* in between/, 'exit-signal': /./ },
    },
    {
      name: 'our environment handed on',
      change: asking(() => ({ env: Object.entries(process.env).map(entry => entry.join('=')) })),
      rejected: { environ: /our own environment was passed on/ },
    },
    {
      name: 'chdir left out',
      change: tampered(tape =>
        tape.ops.splice(
          tape.ops.findIndex(({ call }) => call === 'chdir'),
          1,
        ),
      ),
      rejected: { cwd: /chdir was left out/ },
    },
    {
      name: 'a descriptor left open',
      change: tampered(tape => tape.dup3(0, 7, 0)),
      rejected: { descriptors: /not marked close-on-exec/ },
    },
    {
      name: 'a signal ignored',
      change: tampered(tape => tape.rt_sigaction(SIGUSR1, 'SIG_IGN', null, 8)),
      rejected: { 'signal-caught': /ignored when the program started/ },
    },
    {
      name: 'namespaces of its own already',
      change: changed({ flags: () => CLONE_NEWUSER | CLONE_NEWUTS }),
      rejected: { 'nothing-isolated': /These differ: user uts\. .*CLONE_NEW\* flags already/ },
    },
  ]

  test.each(mutants)('$name', async ({ change, rejected }) => {
    const report = await run(change)
    const failed = report.checks.filter(({ ok }) => ok === false)
    expect(Object.fromEntries(failed.map(({ id, diagnosis }) => [id, diagnosis]))).toEqual(
      Object.fromEntries(Object.entries(rejected).map(([id, why]) => [id, expect.stringMatching(why)])),
    )
    expect(report.ok).toBe(false)
    expect(left(report)).toEqual([])
  })
})
