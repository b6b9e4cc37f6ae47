import type { StepMode } from './step-plan.ts'
import { Presenter } from './present.ts'
import { inkFor } from './printer.ts'
import { runStep } from './run-step.ts'
import type { Report, Step } from './step.ts'

/** Prints only predictions and their answers: the step runs only to get live answers. */
class QuizPresenter extends Presenter {
  readonly #shown: Presenter
  readonly #plain: boolean

  constructor(plain: boolean) {
    super({ quiet: true })
    this.#plain = plain
    this.#shown = new Presenter({ plain })
  }

  override stage(number: number, count: number, title: string): void {
    this.#stage = `Stage ${number} of ${count} · ${title}`
  }
  #stage = ''

  override question(): void {
    this.#shown.line(inkFor(this.#plain).dim(`     ${this.#stage}`))
  }

  override prediction(predicted: string, right: string, why: string): void {
    this.#shown.prediction(predicted, right, why)
  }
}

/** All questions of a step. */
export const questionsOf = <S>({ stages }: Step<S>): string[] =>
  stages.flatMap(({ predict }) => predict?.question ?? [])

/**
 * Asks some questions of a step again. Runs the step as far as needed to read the right answers from the kernel. Resolves to
 * its report; a question whose answer is not available here is not among its predictions.
 */
export async function askAgain<S>(
  step: Step<S>,
  questions: ReadonlySet<string>,
  { plain, ...options }: Pick<StepMode, 'rootless'> & { plain: boolean },
): Promise<Report> {
  const last = step.stages.findLastIndex(({ predict }) => predict && questions.has(predict.question))
  const part = { ...step, stages: step.stages.slice(0, last + 1) }
  const presenter = new QuizPresenter(plain)
  return runStep(part, {
    ...options,
    listeners: [presenter.hear],
    runtime: 'minilab',
    ask: true,
    questions,
  })
}
