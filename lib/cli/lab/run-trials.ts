import { certain } from '../../common/certain.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { runTrials, type TrialOf } from '../../labs/trial-in-sandbox.ts'
import { exercises } from '../exercises.ts'
import { steps } from '../steps.ts'
import { labsBefore } from './which-lab.ts'

/** `minilab check N` in the sandbox: runs the trials that arrive as jobs. */
export async function serveTrials(number: number): Promise<void> {
  await runTrials(await loadTrials(number), dataFolder())
}

/** Everything a trial needs. Loaded once outside the sandbox, it is in Node's compile cache, which is read-only inside the sandbox. */
export async function loadTrials(number: number): Promise<TrialOf> {
  const { load, solution } = certain(exercises.find(row => row.number === number))
  const exercise = await load()
  const step = await certain(steps[number - 1]).load()
  return { step, exercise, reference: await solution(), earlier: await labsBefore(exercise) }
}
