import type { MinilabCommand } from '../program.ts'
import { whichSteps } from '../step/step.ts'

export interface QuizFlags {
  all?: boolean
  json?: boolean
  plain?: boolean
}

/** `minilab quiz`: predictions, once more. */
export function quizCommand(program: MinilabCommand): void {
  program
    .command('quiz')
    .description('repeat the questions that you predicted wrongly; the kernel gives the answers')
    .argument('[step]', 'the questions of one step only')
    .option('--all', 'ask all questions, also those predicted correctly or not asked yet')
    .option('--json', 'print your predictions as one JSON document, and ask nothing')
    .option('--plain', 'no colour; the same width in every window')
    .action(async (word: string | undefined, flags: QuizFlags) => {
      const numbers = whichSteps(word ?? 'all')
      const { quiz } = await import('./run-quiz.ts')
      return quiz(numbers, flags)
    })
}
