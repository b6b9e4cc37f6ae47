import { recordStep } from './leave-out.ts'
import { askWhich } from './predict.ts'
import type { MutantPresenter } from './present-mutant.ts'
import { runStep } from './run-step.ts'
import type { Report, Step } from './step.ts'
import type { StepMode } from './step-plan.ts'

/** A step built wrongly on purpose, and what is known about it before it runs. */
export interface Wrong<S = object> {
  /** `mutant no-propagation`, `without pivot_root` */
  title: string
  misconception?: string
  /** the ids of the checks that must find it; undefined if that is to be found out */
  breaks?: string[]
  right: Step<S>
  step: Step<S>
}

/** The report of a wrong run: that of the step, and the results of the checks. */
export interface WrongReport extends Report {
  wrong: { title: string; misconception: string | null; breaks: string[] | null; broke: string[] }
}

export interface WrongOptions extends StepMode {
  ask: boolean
  presenter: MutantPresenter
}

/**
 * Runs a step that is built wrongly: shows how its tape differs, asks for a prediction, shows which checks break and why. Call
 * it in a sandbox, where it can do no harm. Resolves to the report; `ok` if exactly the checks that must find it did.
 */
export async function runMutant<S>(wrong: Wrong<S>, options: WrongOptions): Promise<WrongReport> {
  const { presenter } = options
  presenter.misconception(wrong, await tapeDifference(wrong, options))
  const checks = wrong.right.stages.flatMap(({ checks }) => checks ?? [])
  if (options.ask) presenter.line()
  const predicted = options.ask ? await askWhich('Which checks will see it?', checks) : undefined
  const { rootless, runtime } = options
  const asked = { rootless, runtime, ask: false, trial: wrong.title }
  const report = await runStep(wrong.step, { ...asked, listeners: [presenter.hear] })
  const broke = report.checks.filter(({ ok }) => ok === false).map(({ id }) => id)
  const { title, misconception = null, breaks = null } = wrong
  const document = { ...report, wrong: { title, misconception, breaks, broke } }
  presenter.verdict(document, predicted)
  return document
}

/** Whether exactly the checks that must find it did; checks that cannot be made here do not count. */
export function seenAsDeclared({ wrong: { breaks, broke }, checks }: WrongReport): boolean {
  if (!breaks) return true
  const looked = breaks.filter(id => checks.some(check => check.id === id && check.ok !== null))
  return looked.toSorted().join() === broke.toSorted().join()
}

/** How the wrong tape differs: missing calls, additional calls, or another order. */
export interface TapeDifference {
  calls: string[]
  reordered: boolean
}

async function tapeDifference<S>({ right, step }: Wrong<S>, options: StepMode): Promise<TapeDifference> {
  const callsOf = async (built: Step<S>) =>
    (await recordStep(built, options)).print().map(call => call.replace(/ #\d+>/g, '>'))
  const [should, does] = [await callsOf(right), await callsOf(step)]
  const calls = [
    ...surplus(should, does).map(call => `- ${call}`),
    ...surplus(does, should).map(call => `+ ${call}`),
  ]
  return { calls, reordered: calls.length === 0 && should.join('\n') !== does.join('\n') }
}

/** What the first list has more of than the second. */
function surplus(list: readonly string[], other: readonly string[]): string[] {
  const rest = [...other]
  return list.filter(item => {
    const at = rest.indexOf(item)
    if (at !== -1) rest.splice(at, 1)
    return at === -1
  })
}
