import { constants } from 'node:os'
import { LimitedError } from '../container/limited.ts'
import { recover } from '../container/ledger.ts'
import { dataFolder } from '../image/data-folder.ts'
import { now } from '../kernel/now.ts'
import type { Replayed } from '../kernel/tape.ts'
import { difference, hostState } from './host-state.ts'
import { Lab, type LabOptions } from './lab.ts'
import { ask } from './predict.ts'
import type { Check, Finding, Report, Stage, Step, TapeEntry } from './step.ts'

export interface StepOptions extends LabOptions {
  /** whether to ask for predictions */
  ask: boolean
  /** a command of the learner's to run in a container like the step's own, at the end */
  command: string[]
}

/**
 * Runs a step's stages in order, and takes back everything, whatever happens: also when a prompt is left with Ctrl-C.
 * Resolves to the report; throws what made the step impossible.
 */
export async function runStep<S>(step: Step<S>, options: StepOptions): Promise<Report> {
  const { presenter, rootless, runtime } = options
  const began = performance.now()
  await recover(dataFolder())
  const lab = new Lab(step, options)
  const before = hostState(lab.id)
  let during = before
  const mode = rootless ? 'rootless' : 'root'
  presenter.step(step, mode, runtime)
  const checks: Report['checks'] = []
  const limited: Report['limited'] = []
  const score = { right: 0, asked: 0 }
  const interrupt = onInterrupt(lab)
  try {
    for (const [i, stage] of step.stages.entries()) {
      presenter.stage(i + 1, step.stages.length, stage.title)
      presenter.explain(stage.explain, stage.source)
      const said = options.ask && stage.predict ? await ask(stage.predict) : undefined
      const refused = await act(lab, stage)
      if (refused) {
        limited.push({ stage: stage.title, reason: refused.message, remedy: refused.remedy })
        presenter.limited(refused.message, refused.remedy)
      }
      during = during.union(hostState(lab.id))
      for (const check of stage.checks ?? []) checks.push(await judge(lab, check, refused))
      if (said !== undefined && stage.predict && !refused) {
        const right = await stage.predict.answer(lab.scene)
        score.asked++
        if (said === right) score.right++
        presenter.prediction(said, right, stage.predict.why)
      }
    }
    if (options.command.length > 0) await lab.runCommand(options.command)
    if (options.keep) await lab.keepUntilEnter()
  } catch (error) {
    // what fails because its container was just ended is no news: the end is near
    if (interrupt.came) await new Promise(() => {})
    throw error
  } finally {
    await lab.close()
    interrupt.letGo()
  }
  const report: Report = {
    step: step.number,
    title: step.title,
    mode,
    runtime,
    ok: checks.every(check => check.ok !== false),
    ms: Math.round(performance.now() - began),
    tape: entries(lab.tape),
    checks,
    host: { changed: difference(before, during), left: difference(before, hostState(lab.id)) },
    launches: lab.launches.map(({ purpose, tape }) => ({ purpose, tape: entries(tape) })),
    limited,
  }
  if (report.host.left.length > 0) report.ok = false
  presenter.end(step, report, score)
  return report
}

/** Ctrl-C or a polite end between two prompts: what was made is taken back first. At a prompt inquirer hears the key. */
function onInterrupt<S>(lab: Lab<S>): { came: boolean; letGo(): void } {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE'] as const
  const state = { came: false, letGo: () => signals.forEach(signal => process.off(signal, end)) }
  const end = (signal: NodeJS.Signals) => {
    state.came = true
    // process.exit() would wait for a child that waits at its gate for us: leave by the system call itself
    void lab.close().finally(() => now.exit_group(128 + constants.signals[signal]))
  }
  for (const signal of signals) process.once(signal, end)
  return state
}

async function act<S>(lab: Lab<S>, stage: Stage<S>): Promise<LimitedError | undefined> {
  try {
    await stage.act?.(lab)
    return undefined
  } catch (error) {
    if (error instanceof LimitedError) return error
    throw error
  }
}

async function judge<S>(
  lab: Lab<S>,
  check: Check<S>,
  refused?: LimitedError,
): Promise<Report['checks'][number]> {
  const finding: Finding = refused
    ? { ok: null, evidence: [], limited: refused.message }
    : await check.look(lab.scene)
  lab.presenter.check(check, finding)
  return {
    id: check.id,
    claim: check.claim.replaceAll('`', ''),
    ok: finding.ok,
    limited: finding.limited ?? null,
    evidence: finding.evidence,
    diagnosis: finding.diagnosis ?? null,
  }
}

function entries(tape: readonly Replayed[]): TapeEntry[] {
  return tape.map(({ call, args, result, errno, ns }) => ({ call, args, result, errno, ns }))
}
