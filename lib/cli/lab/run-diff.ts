import { certain } from '../../common/certain.ts'
import type { Exercise, Task } from '../../labs/exercise.ts'
import { DiffPresenter } from '../../labs/present-diff.ts'
import { withSolutions } from '../../labs/with-solutions.ts'
import { diffTapes, type TapeDiff } from '../../labs/tape-diff.ts'
import { Trials, type TriedOut } from '../../labs/trials.ts'
import { judgeTasks, tapeDiffOf } from '../../labs/verdict.ts'
import type { Workspace } from '../../labs/workspace.ts'
import { openWorkspace } from '../../labs/open-workspace.ts'
import type { CheckFlags } from './lab.ts'
import { EXIT } from '../exit.ts'
import { isRootless } from '../rootless.ts'
import { passedBefore } from './run-check.ts'
import { whichLab } from './which-lab.ts'

/** `minilab diff N`; resolves to the exit status. */
export async function diff(word: string | undefined, flags: CheckFlags): Promise<number> {
  const workspace = openWorkspace()
  const exercise = await whichLab(word, workspace)
  const rootless = isRootless(flags.rootless)
  const own = await passedBefore(workspace, exercise)
  await using trials = new Trials(exercise, rootless, 'once')
  const tried = await trials.try({ number: exercise.number, folder: workspace.folder, rootless, own })
  const compared = await compare({ workspace, exercise, rootless, trials, tried })
  showCompared(new DiffPresenter({ plain: flags.plain ?? false }), exercise, compared)
  return compared.stopped ? EXIT.failed : EXIT.ok
}

/** The trial, and where the reference can be found. */
interface ToCompare {
  workspace: Workspace
  exercise: Exercise
  rootless: boolean
  trials: Trials
  tried: TriedOut
  signal?: AbortSignal
}

/** Shows what the child does, and any work on the host, beside the reference. */
interface Compared {
  task: Task
  child?: TapeDiff
  host?: TapeDiff
  /** the error that stopped the learner's code before there was a tape */
  stopped?: TriedOut['problem']
}

/** Compares the trial with the reference, which is tried too if only that tells. Rejects when `signal` ends it. */
export async function compare({
  workspace,
  exercise,
  rootless,
  trials,
  tried,
  signal,
}: ToCompare): Promise<Compared> {
  const failing = judgeTasks(exercise, tried).findIndex(({ state }) => state === 'failed')
  // if no task fails, the last of the tasks about the part: by then the part is complete
  const task = exercise.tasks[failing] ?? certain(exercise.tasks.findLast(({ record }) => !record))
  if (tried.problem && !tried.tapes.part) return { task, stopped: tried.problem }
  const child = tapeDiffOf(exercise, task, tried)
  const compared = { task, ...(child && child.rows.length > 0 && { child }) }
  if (tried.host.length === 0 && !exercise.onHost) return compared
  const request = { number: exercise.number, folder: workspace.folder, rootless, own: [] }
  const ours = await withSolutions([exercise], ({ folder }) => trials.try({ ...request, folder }, signal))
  const yours = tried.host.map(call => ({ call }))
  return { ...compared, host: diffTapes(yours, ours.host, exercise, { id: task.id }) }
}

/** Prints the result of `compare`. */
export function showCompared(
  presenter: DiffPresenter,
  exercise: Exercise,
  { task, child, host, stopped }: Compared,
): void {
  presenter.diffHead(exercise, task)
  if (stopped) return presenter.problem(stopped)
  if (!child && !host) return presenter.nothingToCompare(exercise, task)
  if (child) presenter.diff(exercise, child)
  if (host) presenter.diff(exercise, host, "on the host, for the step's own container")
}
