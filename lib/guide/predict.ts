import { widthFor } from './printer.ts'
import type { Check, Prediction } from './step.ts'
import { wrap } from './text.ts'

/** Asks for a prediction; resolves to the choice. Ctrl-C rejects with an ExitPromptError, Ctrl-D with an AbortPromptError. */
export async function ask(prediction: Pick<Prediction, 'question' | 'choices'>): Promise<string> {
  const { select } = await import('@inquirer/prompts')
  return untilCtrlD(context =>
    select(
      {
        message: asMessage(prediction.question),
        choices: [NONE_YET, ...prediction.choices.map(choice => ({ name: choice, value: choice }))],
        theme: { ...THEME, i18n: { disabledError: 'First choose an answer with ↑ and ↓.' } },
      },
      context,
    ),
  )
}

/** Shown before the choices, so that none is selected until a key is pressed. */
const NONE_YET = { name: 'choose', value: '', disabled: 'with ↑ and ↓' }

/** The question with line breaks between words: inquirer would break inside a word, and start the next line at the margin. */
const asMessage = (question: string) =>
  wrap(question, widthFor(false) - INDENT).join(`\n${' '.repeat(INDENT)}`)

const INDENT = 7
const THEME = { prefix: { idle: '     ?', done: '     ›' } }

/** At Ctrl-D readline closes its input, and inquirer would wait for ever: Inquirer.js#1741. Rejects instead. */
async function untilCtrlD<T>(prompt: (context: { signal: AbortSignal }) => Promise<T>): Promise<T> {
  const ended = new AbortController()
  const hear = (_: unknown, key?: { ctrl?: boolean; name?: string }) => {
    if (key?.ctrl && key.name === 'd') ended.abort()
  }
  process.stdin.on('keypress', hear)
  try {
    return await prompt({ signal: ended.signal })
  } finally {
    process.stdin.off('keypress', hear)
  }
}

/** Asks which of these checks will fail; resolves to their ids. */
export async function askWhich(
  question: string,
  checks: readonly Pick<Check, 'id' | 'claim'>[],
): Promise<string[]> {
  const { checkbox } = await import('@inquirer/prompts')
  return untilCtrlD(context =>
    checkbox(
      {
        message: asMessage(question),
        // with its id, because the answer printed below is made of ids
        choices: checks.map(check => ({ name: titled(check), value: check.id, short: check.id })),
        theme: THEME,
        pageSize: 20,
      },
      context,
    ),
  )
}

/** A check as the learner sees it: its id and its claim. */
export const titled = ({ id, claim }: Pick<Check, 'id' | 'claim'>) => `${id}: ${claim.replaceAll('`', '')}`

/** Asks a yes/no question; Enter alone means no. */
export async function askWhether(question: string): Promise<boolean> {
  const { confirm } = await import('@inquirer/prompts')
  return untilCtrlD(context => confirm({ message: question, default: false, theme: THEME }, context))
}
