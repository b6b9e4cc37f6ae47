import { constants } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { isKind, MinilabError } from '../common/errors.ts'
import { recover } from '../container/ledger/ledger.ts'
import { dataFolder } from '../image/data-folder.ts'
import { now } from '../kernel/syscalls/now.ts'
import { processExists } from '../kernel/process/procfs.ts'
import type { Replayed } from '../kernel/tape/tape.ts'
import { Feed } from './feed.ts'
import { difference, hostState } from './host-state.ts'
import { type Refusal, refusalOf } from './refusal.ts'
import { Lab, type LabOptions } from './lab.ts'
import { ask } from './predict.ts'
import type { Check, Finding, Prediction, Report, Stage, Step, TapeEntry } from './step.ts'
import type { Timeline } from './timeline.ts'

export interface StepOptions extends LabOptions {
  /** whether to ask for predictions */
  ask: boolean
  /** the questions to ask; all, unless given */
  questions?: ReadonlySet<string>
  /** a command of the learner's to run in a container like the step's own, at the end */
  command: string[]
  /** what is tried out, on a bench: `mutant no-uts`, `lab`. Then what stops the step is no error, but in the report: `refused` */
  trial?: string
  /** the ids of the checks that are wanted: once all of them have been made, no later stage is run; all, unless given */
  until?: readonly string[]
  /** is told at the end what was done, and when */
  timeline?(timeline: Timeline): void
}

/**
 * Runs a step's stages in order, and takes back everything, whatever happens: also when a prompt is left with Ctrl-C.
 * Resolves to the report; throws what made the step impossible.
 */
export async function runStep<S>(step: Step<S>, options: StepOptions): Promise<Report> {
  const { presenter, rootless, runtime } = options
  const began = performance.now()
  let thinking = 0 // ms in which the learner was asked
  await recover(dataFolder())
  const feed = new Feed(dataFolder())
  const lab = new Lab(step, { ...options, feed })
  const goOn = options.trial !== undefined
  // in one of two looks only is what another runtime mounts for a moment, as runc does with itself (cloned_binary.c)
  const before = hostState(lab.id).intersection(hostState(lab.id))
  let during = before
  const mode = rootless ? 'rootless' : 'root'
  presenter.step(step, mode, runtime)
  const { number, name, title } = step
  feed.tell({ kind: 'step', number, name, title, trial: options.trial ?? null })
  const checks: Report['checks'] = []
  const limited: Report['limited'] = []
  let refused: Refusal | undefined
  /** where the step's own container cannot be had here, later stages have nothing to do either */
  let missing: MinilabError<'limited'> | undefined
  const predictions: Report['predictions'] = []
  const interrupt = onInterrupt(lab)
  try {
    for (const [i, stage] of step.stages.entries()) {
      presenter.stage(i + 1, step.stages.length, stage.title)
      feed.tell({ kind: 'stage', number: i + 1, of: step.stages.length, title: stage.title })
      presenter.explain(step, stage)
      const predict = missing || stage.impossible?.(lab) ? undefined : prediction(stage, options)
      if (predict) presenter.question()
      const asked = performance.now()
      const said = predict && (await ask(predict))
      thinking += performance.now() - asked
      if (predict) presenter.line()
      presenter.source(stage)
      const [lacking, refusal] = missing ? [missing] : await act(lab, stage, goOn)
      refused ??= refusal
      if (refusal && lab.stillborn) break // nothing to look at any more
      if (refusal) continue
      if (lacking && lab.stillborn)
        missing = new MinilabError('limited', 'the step’s own container is not there', lacking.remedy)
      if (lacking) {
        limited.push({ stage: stage.title, reason: lacking.message, remedy: lacking.remedy })
        presenter.limited(lacking.message, lacking.remedy)
      }
      during = during.union(hostState(lab.id))
      if (stage.shows) presenter.calls(step, stage, lab.tape)
      for (const check of stage.checks ?? []) checks.push(await judge(lab, check, lacking, goOn))
      if (predict && said !== undefined && !lacking) {
        const answer = await predict.answer(lab.scene)
        predictions.push({ question: predict.question, said, answer })
        presenter.prediction(said, answer, predict.why)
      }
      if (options.until?.every(wanted => checks.some(({ id }) => id === wanted))) break
    }
    if (options.command.length > 0) await lab.runCommand(options.command)
    if (options.keep) await lab.keepUntilEnter()
    feed.tell({ kind: 'end', ok: !refused && checks.every(check => check.ok !== false) })
  } catch (error) {
    // what fails because its container was just ended is no news: the end is near
    if (interrupt.came) await new Promise(() => {})
    throw error
  } finally {
    const left = await close(lab, goOn)
    refused ??= left
    feed.close()
    interrupt.letGo()
  }
  const report: Report = {
    step: step.number,
    title: step.title,
    mode,
    runtime,
    ok: checks.every(check => check.ok !== false),
    ms: Math.round(performance.now() - began - thinking),
    tape: entries(lab.tape),
    checks,
    host: { changed: difference(before, during), left: await leftBehind(lab.id, before) },
    launches: lab.launches.map(({ purpose, tape }) => ({ purpose, tape: entries(tape) })),
    limited,
    predictions,
    ...(refused && { refused }),
  }
  if (refused) report.ok = false
  if (report.host.left.length > 0) report.ok = false
  presenter.end(step, report)
  options.timeline?.(lab.timeline)
  return report
}

/** What the step has left on the host. What somebody else has there for a moment goes by itself. */
async function leftBehind(id: string, before: Set<string>): Promise<string[]> {
  for (let looks = 5; ; looks--) {
    const found = difference(before, hostState(id))
    if (found.length === 0 || looks === 0) return found
    await setTimeout(20)
  }
}

/** Takes back what was made; with `goOn`, what cannot be (a folder with a mount on it) goes with the bench. */
async function close<S>(lab: Lab<S>, goOn: boolean): Promise<Refusal | undefined> {
  try {
    await lab.close()
    return undefined
  } catch (error) {
    const refusal = goOn ? refusalOf(error) : undefined
    if (!refusal) throw error
    return refusal
  }
}

/** What is to be asked for before a stage. */
function prediction<S>({ predict }: Stage<S>, options: StepOptions): Prediction<S> | undefined {
  const isAsked = options.ask && predict && (options.questions?.has(predict.question) ?? true)
  return isAsked ? predict : undefined
}

/** Ctrl-C or a polite end between two prompts: what was made is taken back first. At a prompt inquirer hears the key. */
function onInterrupt<S>(lab: Lab<S>): { came: boolean; letGo(): void } {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE'] as const
  const state = { came: false, letGo: () => signals.forEach(signal => process.off(signal, end)) }
  const end = (signal: NodeJS.Signals) => {
    if (state.came) return // the first is what ends it: its output may be closed meanwhile
    state.came = true
    // process.exit() would wait for a child that waits at its gate for us: leave by the system call itself
    void lab.close().finally(() => now.exit_group(128 + constants.signals[signal]))
  }
  for (const signal of signals) process.once(signal, end)
  return state
}

/** What of a stage cannot be had here, and with `goOn` what stopped it. */
async function act<S>(
  lab: Lab<S>,
  stage: Stage<S>,
  goOn: boolean,
): Promise<[lacking?: MinilabError<'limited'>, refusal?: Refusal | undefined]> {
  try {
    await stage.act?.(lab)
    return []
  } catch (error) {
    if (isKind(error, 'limited')) return [error]
    const refusal = goOn ? refusalOf(error) : undefined
    if (!refusal) throw error
    return [undefined, refusal]
  }
}

/** What a check found; with `goOn` it has failed where there is nothing to look at any more. */
async function look<S>(lab: Lab<S>, check: Check<S>, goOn: boolean): Promise<Finding> {
  try {
    return await check.look(lab.scene)
  } catch (error) {
    const refusal = goOn ? refusalOf(error) : undefined
    if (!refusal) throw error
    const { child } = lab.box ?? {}
    const exit = child && !processExists(child.pid) ? await child.exit : undefined
    const gone =
      exit && `The program has ended, by ${exit.signal ?? `exit(${exit.status})`}, and cannot be looked at.`
    return { ok: false, evidence: [], diagnosis: gone ?? `${refusal.message}: ${refusal.remedy}` }
  }
}

async function judge<S>(
  lab: Lab<S>,
  check: Check<S>,
  refused: MinilabError<'limited'> | undefined,
  goOn: boolean,
): Promise<Report['checks'][number]> {
  const finding: Finding = refused
    ? { ok: null, evidence: [], limited: refused.message }
    : await look(lab, check, goOn)
  lab.presenter.check(check, finding)
  const { ok, evidence, limited = null, diagnosis = null } = finding
  lab.options.feed?.tell({ kind: 'check', claim: check.claim, ok, evidence, reason: diagnosis ?? limited })
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
  return tape.map(({ call, args, result, errno, start = null, ns }) => {
    return { call, args, result, errno, start, ns }
  })
}
