import { dataFolder } from '../image/data-folder.ts'
import { runTrials } from '../labs/trial.ts'
import { exercises } from './exercises.ts'
import { steps } from './steps.ts'
import { labsBefore } from './which-lab.ts'

/** `minilab check N` on the bench: tries out what comes as jobs. */
export async function serveTrials(number: number): Promise<void> {
  const { load, solution } = exercises.find(row => row.number === number)!
  const exercise = await load()
  const step = await steps[number - 1]!.load()
  const of = { step, exercise, reference: await solution(), earlier: await labsBefore(exercise) }
  await runTrials(of, dataFolder())
}
