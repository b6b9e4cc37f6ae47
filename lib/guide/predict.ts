import type { Check, Prediction } from './step.ts'

/** Asks for a prediction; resolves to the choice. Ctrl-C rejects with an ExitPromptError. */
export async function ask(prediction: Pick<Prediction, 'question' | 'choices'>): Promise<string> {
  const { select } = await import('@inquirer/prompts')
  return select({
    message: prediction.question,
    choices: prediction.choices.map(choice => ({ name: choice, value: choice })),
    theme: { prefix: { idle: '     ?', done: '     ›' } },
  })
}

/** Asks which of some checks will fail; resolves to their ids. */
export async function askWhich(
  question: string,
  checks: readonly Pick<Check, 'id' | 'claim'>[],
): Promise<string[]> {
  const { checkbox } = await import('@inquirer/prompts')
  return checkbox({
    message: question,
    choices: checks.map(({ id, claim }) => ({ name: claim.replaceAll('`', ''), value: id, short: id })),
    theme: { prefix: { idle: '     ?', done: '     ›' } },
    pageSize: 20,
  })
}
