import type { Report } from '../guide/step.ts'
import type { Progress } from './progress-shape.ts'

/** Notes the predictions of a step; they replace earlier answers to the same questions. */
export function notePredictions(
  progress: Progress,
  { step, predictions }: Pick<Report, 'step' | 'predictions'>,
): void {
  const at = new Date().toISOString()
  for (const { question, said, answer } of predictions)
    progress.predictions[question] = { step, said, answer, at }
}

/** The questions whose latest answer was wrong. */
export function missedQuestions({ predictions }: Progress): Set<string> {
  const missed = Object.entries(predictions).filter(([, { said, answer }]) => said !== answer)
  return new Set(missed.map(([question]) => question))
}
