import { DiffPresenter } from '../labs/present-diff.ts'
import { withSolutions } from '../labs/solved.ts'
import { diffTapes } from '../labs/tape-diff.ts'
import { Trials } from '../labs/try-out.ts'
import { judgeTasks, tapeDiffOf } from '../labs/verdict.ts'
import { openWorkspace } from '../labs/open-workspace.ts'
import type { CheckFlags } from './lab.ts'
import { EXIT } from './exit.ts'
import { isRootless } from './rootless.ts'
import { passedBefore } from './run-check.ts'
import { whichLab } from './which-lab.ts'

/** `minilab diff N`: what the child does, and where there is such a thing what is done on the host, beside the reference. */
export async function diff(word: string | undefined, flags: CheckFlags): Promise<void> {
  const workspace = openWorkspace()
  const exercise = await whichLab(word, workspace)
  const rootless = isRootless(flags.rootless)
  const own = await passedBefore(workspace, exercise)
  const request = { number: exercise.number, folder: workspace.folder, rootless, own }
  const presenter = new DiffPresenter({ plain: flags.plain ?? false })
  await using trials = new Trials(exercise, rootless, 'once')
  const tried = await trials.try(request)
  const failing = judgeTasks(exercise, tried).findIndex(({ state }) => state === 'failed')
  const task = exercise.tasks.at(failing)! // or the last one
  presenter.diffHead(exercise, task)
  if (tried.problem && !tried.tapes.part) {
    presenter.problem(tried.problem)
    process.exitCode = EXIT.failed
    return
  }
  const child = tapeDiffOf(exercise, task, tried)
  if (child && child.rows.length > 0) presenter.diff(exercise, child)
  if (tried.host.length === 0 && !exercise.onHost) return
  const ours = await withSolutions([exercise], ({ folder }) => trials.try({ ...request, folder, own: [] }))
  presenter.diff(
    exercise,
    diffTapes(
      tried.host.map(call => ({ call })),
      ours.host,
      exercise,
      { id: task.id },
    ),
    'on the host, for the step’s own container',
  )
}
