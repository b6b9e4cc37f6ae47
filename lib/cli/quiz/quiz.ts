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
    .description('be asked again what you predicted wrongly; the kernel gives the answer')
    .argument('[step]', 'the questions of one step only')
    .option('--all', 'ask everything, also what you predicted rightly or were not asked yet')
    .option('--json', 'print what you predicted as one JSON document, and ask nothing')
    .option('--plain', 'no colour, no dependence on the window')
    .action(async (word: string | undefined, flags: QuizFlags) => {
      const numbers = whichSteps(word ?? 'all')
      const { quiz } = await import('./run-quiz.ts')
      return quiz(numbers, flags)
    })
}
