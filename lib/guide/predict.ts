import type { Prediction } from './step.ts'

/** Asks for a prediction; resolves to the choice. Ctrl-C rejects with an ExitPromptError. */
export async function ask(prediction: Pick<Prediction, 'question' | 'choices'>): Promise<string> {
  const { select } = await import('@inquirer/prompts')
  return select({
    message: prediction.question,
    choices: prediction.choices.map(choice => ({ name: choice, value: choice })),
    theme: { prefix: { idle: '     ?', done: '     ›' } },
  })
}
