import { once } from 'node:events'
import { constants } from 'node:os'
import { setTimeout } from 'node:timers/promises'
import { isKind, MinilabError } from '../common/errors.ts'
import { recover } from '../container/ledger/ledger.ts'
import { dataFolder } from '../image/data-folder.ts'
import { shellStatus } from '../kernel/process/child.ts'
import { processExists } from '../kernel/process/procfs.ts'
import { now } from '../kernel/syscalls/now.ts'
import { asTyped } from './as-typed.ts'
import type { StepListener } from './events.ts'
import { Experiment } from './experiment.ts'
import { Feed } from './feed.ts'
import { difference, hostState } from './host-state.ts'
import { ask } from './predict.ts'
import { type Refusal, refusalOf } from './refusal.ts'
import { ReportKeeper } from './report.ts'
import type { StepMode } from './step-plan.ts'
import type { Check, Finding, Prediction, Report, Stage, Step } from './step.ts'

export interface StepOptions extends StepMode {
  /** who receives the events: a presenter, for example */
  listeners?: readonly StepListener[]
  /** whether to ask for predictions */
  ask: boolean
  /** the questions to ask; by default all */
  questions?: ReadonlySet<string>
  /** the learner's command, to run at the end in a container like the step's own */
  command?: string[]
  /** stdout belongs to a document: the learner's command writes to stderr */
  quiet?: boolean
  /** the container stays at the end until Enter is pressed */
  keep?: boolean
  /** seconds to wait at the end of each stage, so that an audience can look at it */
  pace?: number
  /** what is tried, in a sandbox: `mutant no-uts`, `lab`. What stops the step is then not thrown, but in the report as `refused` */
  trial?: string
  /** the ids of the wanted checks: after the last of them no stage is run; by default all */
  until?: readonly string[]
}

/**
 * Runs a step's stages in order, and removes everything afterwards, even if a prompt is left with Ctrl-C. Resolves to the
 * report; throws what made the step impossible.
 */
export async function runStep<S>(step: Step<S>, options: StepOptions): Promise<Report> {
  const { rootless, runtime, trial = null, command = [] } = options
  const began = performance.now()
  let thinking = 0 // ms during which we waited for the learner
  await recover(dataFolder())
  const feed = new Feed(dataFolder())
  const { hear, heard } = new ReportKeeper()
  const listeners = [hear, feed.hear, ...(options.listeners ?? [])]
  const tell: StepListener = event => listeners.forEach(listener => listener(event))
  const experiment = new Experiment(step, { rootless, runtime }, tell)
  const goOn = trial !== null
  // Intersect two snapshots: another runtime may have mounted something only for a moment, as runc does with itself
  // (cloned_binary.c)
  const before = hostState(experiment.id).intersection(hostState(experiment.id))
  let during = before
  const mode = rootless ? 'rootless' : 'root'
  tell({ kind: 'step', step, mode, runtime, trial })
  let stoppedBy: Refusal | undefined
  /** why the step's own container cannot be made here: then later stages have nothing to do either */
  let missing: MinilabError<'limited'> | undefined
  const interrupt = onInterrupt(experiment)
  try {
    for (const [i, stage] of step.stages.entries()) {
      tell({ kind: 'stage', step, stage, number: i + 1, of: step.stages.length })
      const predict = missing || stage.impossible?.(experiment) ? undefined : prediction(stage, options)
      if (predict) tell({ kind: 'question' })
      const asked = performance.now()
      const predicted = predict && (await ask(predict))
      thinking += performance.now() - asked
      tell({ kind: 'act', stage, asked: predict !== undefined })
      const [lacking, refusal] = missing ? [missing] : await act(experiment, stage, goOn)
      stoppedBy ??= refusal
      if (refusal && experiment.stillborn) break // there is no container to check
      if (refusal) continue
      if (lacking && experiment.stillborn)
        missing = new MinilabError('limited', "the step's own container is not there", lacking.remedy)
      if (lacking) tell({ kind: 'limited', stage, reason: lacking.message, remedy: lacking.remedy })
      during = during.union(hostState(experiment.id))
      if (stage.shows) tell({ kind: 'calls', step, stage, tape: experiment.tape })
      for (const check of stage.checks ?? [])
        tell({ kind: 'check', check, finding: await judge(experiment, check, lacking, goOn) })
      if (predict && predicted !== undefined && !lacking) {
        const { question, why } = predict
        tell({
          kind: 'prediction',
          question,
          said: predicted,
          answer: await predict.answer(experiment.scene),
          why,
        })
      }
      thinking += await stay(options.pace)
      if (options.until?.every(wanted => heard.checks.some(({ id }) => id === wanted))) break
    }
    if (command.length > 0) await runCommand(experiment, command, options.quiet)
    const kept = performance.now()
    if (options.keep) await keepUntilEnter(experiment)
    thinking += performance.now() - kept
    tell({ kind: 'over', ok: !stoppedBy && heard.checks.every(check => check.ok !== false) })
  } catch (error) {
    // an error now is only the result of ending the container: wait for the interrupt to end us
    if (interrupt.came) await new Promise(() => {})
    throw error
  } finally {
    try {
      const left = await close(experiment, goOn)
      stoppedBy ??= left
    } finally {
      feed.close()
      interrupt.letGo()
    }
  }
  const ms = Math.round(performance.now() - began - thinking)
  const left = await leftBehind(experiment.id, before)
  const report: Report = {
    step: step.number,
    title: step.title,
    mode,
    runtime,
    ok: !stoppedBy && left.length === 0 && heard.checks.every(check => check.ok !== false),
    ms,
    tape: heard.tape,
    checks: heard.checks,
    host: { changed: difference(before, during), left },
    launches: heard.launches,
    limited: heard.limited,
    predictions: heard.predictions,
    ...(stoppedBy && { refused: stoppedBy }),
  }
  tell({ kind: 'end', step, report })
  return report
}

/** Runs the learner's command in a container like the step's. */
async function runCommand<S>(experiment: Experiment<S>, command: string[], quiet = false): Promise<void> {
  const { tell } = experiment
  tell({ kind: 'line', text: `      $ ${command.join(' ')}` })
  const status = shellStatus(await experiment.runCommand(command, quiet ? [0, 2, 2] : undefined))
  tell({ kind: 'line', text: `      exit status ${status}` })
}

/** `--keep`: keeps the container until Enter is pressed or stdin ends, so that the learner can look at it from another terminal. */
async function keepUntilEnter<S>({ scene: { pid }, options }: Experiment<S>): Promise<void> {
  const howToLook = `The container stays: its first process is ${pid}. In another terminal: minilab look ${pid}, ls /proc/${pid}, or nsenter -t ${pid} -a ${options.rootless ? '--preserve-credentials ' : ''}/bin/sh`
  process.stderr.write(`${asTyped(howToLook)}\nEnter ends it. `)
  await Promise.race([once(process.stdin, 'data'), once(process.stdin, 'end')])
  process.stdin.pause()
}

/** Waits some seconds; resolves to the milliseconds that passed. */
async function stay(seconds = 0): Promise<number> {
  const began = performance.now()
  if (seconds > 0) await setTimeout(seconds * 1000)
  return performance.now() - began
}

/** What the step has left on the host. Waits a little, because what other programs make for a moment disappears again. */
async function leftBehind(id: string, before: Set<string>): Promise<string[]> {
  for (let looks = 5; ; looks--) {
    const found = difference(before, hostState(id))
    if (found.length === 0 || looks === 0) return found
    await setTimeout(20)
  }
}

/** Removes what was made. With `goOn`, returns what could not be removed (a folder with a mount on it), which ends with the sandbox. */
async function close<S>(experiment: Experiment<S>, goOn: boolean): Promise<Refusal | undefined> {
  try {
    await experiment.close()
    return undefined
  } catch (error) {
    const refusal = goOn ? refusalOf(error) : undefined
    if (!refusal) throw error
    return refusal
  }
}

/** The question to ask before a stage; undefined if there is none. */
function prediction<S>({ predict }: Stage<S>, options: StepOptions): Prediction<S> | undefined {
  const isAsked = options.ask && predict && (options.questions?.has(predict.question) ?? true)
  return isAsked ? predict : undefined
}

/** On a signal between two prompts, removes what was made and then ends. During a prompt inquirer handles Ctrl-C. */
function onInterrupt<S>(experiment: Experiment<S>): { came: boolean; letGo(): void } {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGPIPE'] as const
  const state = { came: false, letGo: () => signals.forEach(signal => process.off(signal, end)) }
  const end = (signal: NodeJS.Signals) => {
    if (state.came) return // the first signal already ends it: our output may be closed by now
    state.came = true
    // process.exit() would wait for a child that waits for us at its gate, so call exit_group(2) directly
    void experiment.close().finally(() => now.exit_group(128 + constants.signals[signal]))
  }
  for (const signal of signals) process.on(signal, end)
  return state
}

/** Runs a stage; resolves to why it is limited and, with `goOn`, to what stopped it. */
async function act<S>(
  experiment: Experiment<S>,
  stage: Stage<S>,
  goOn: boolean,
): Promise<[lacking?: MinilabError<'limited'>, refusal?: Refusal | undefined]> {
  try {
    await stage.act?.(experiment)
    return []
  } catch (error) {
    if (isKind(error, 'limited')) return [error]
    const refusal = goOn ? refusalOf(error) : undefined
    if (!refusal) throw error
    return [undefined, refusal]
  }
}

/** The finding of a check; with `goOn` it has failed if there is no container to look at. */
async function look<S>(experiment: Experiment<S>, check: Check<S>, goOn: boolean): Promise<Finding> {
  try {
    return await check.look(experiment.scene)
  } catch (error) {
    const refusal = goOn ? refusalOf(error) : undefined
    if (!refusal) throw error
    const { child } = experiment.box ?? {}
    const exit = child && !processExists(child.pid) ? await child.exit : undefined
    const gone =
      exit && `The program has ended, by ${exit.signal ?? `exit(${exit.status})`}, and cannot be looked at.`
    return { ok: false, evidence: [], diagnosis: gone ?? `${refusal.message}: ${refusal.remedy}` }
  }
}

async function judge<S>(
  experiment: Experiment<S>,
  check: Check<S>,
  lacking: MinilabError<'limited'> | undefined,
  goOn: boolean,
): Promise<Finding> {
  return lacking ? { ok: null, evidence: [], limited: lacking.message } : await look(experiment, check, goOn)
}
