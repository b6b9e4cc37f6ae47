import { readFileSync } from 'node:fs'
import { MinilabError } from '../../common/errors.ts'
import type { Exercise } from '../../labs/exercise.ts'
import { noteOpened } from '../../labs/next.ts'
import { LabPresenter } from '../../labs/present.ts'
import type { Progress } from '../../labs/progress-shape.ts'
import { changeProgress, readProgress } from '../../labs/progress.ts'
import { begun, hintsRead, taskAt, taskKey } from '../../labs/verdict.ts'
import { openWorkspace } from '../../labs/open-workspace.ts'
import { fileOf, solutionFileOf } from '../../labs/workspace.ts'
import type { SolutionFlags } from './lab.ts'
import { whichLab } from './which-lab.ts'

/** `minilab lab N`: prints what to do, and the next step. */
export async function showLab(word: string | undefined, plain: boolean): Promise<void> {
  const workspace = openWorkspace()
  const exercise = await whichLab(word, workspace)
  const progress = changeProgress(workspace, noted => noteOpened(noted, exercise))
  new LabPresenter({ plain }).lab(exercise, fileOf(workspace, exercise), progress)
  // `minilab check` comes next, and then finds its modules already compiled
  await (await import('./run-trials.ts')).loadTrials(exercise.number)
}

/** `minilab hint N`: each time one more hint for the first task that is not passed; all hints once all tasks are. */
export async function showHint(word: string | undefined): Promise<void> {
  const workspace = openWorkspace()
  const exercise = await whichLab(word, workspace)
  const presenter = new LabPresenter()
  const progress = changeProgress(workspace, noted => nextHint(noted, exercise))
  presenter.hints(exercise, progress)
}

/** Records that one more hint was read for the current task. */
export function nextHint(progress: Progress, exercise: Exercise, now = new Date().toISOString()): void {
  const task = taskAt(progress, exercise)
  if (!task) return
  const noted = begun(progress, exercise, task.id, now)
  const read = Math.min(hintsRead(progress, exercise, task.id) + 1, task.hints.length)
  noted.hints = Math.max(noted.hints, read)
  if (noted.again !== undefined) noted.again = read
}

/** `minilab solution N`: prints our file unchanged. */
export async function showSolution(
  word: string | undefined,
  { giveUp = false }: SolutionFlags,
): Promise<void> {
  const workspace = openWorkspace()
  const exercise = await whichLab(word, workspace)
  const { tasks } = readProgress(workspace)
  if (exercise.tasks.some(({ id }) => !tasks[taskKey(exercise, id)]?.passed)) {
    if (!giveUp)
      throw new MinilabError(
        'usage',
        `you have not passed lab ${exercise.number} yet`,
        `minilab hint ${exercise.number}, or give it up: minilab solution ${exercise.number} --give-up`,
      )
    changeProgress(workspace, progress => noteGivenUp(progress, exercise))
  }
  process.stdout.write(readFileSync(solutionFileOf(exercise)))
}

function noteGivenUp(progress: Progress, exercise: Exercise, now = new Date().toISOString()): void {
  for (const { id } of exercise.tasks) {
    const noted = begun(progress, exercise, id, now)
    if (!noted.passed) noted.gaveUp ??= now
  }
}
