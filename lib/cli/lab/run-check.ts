import { certain } from '../../common/certain.ts'
import type { Exercise } from '../../labs/exercise.ts'
import { mistakesIn } from '../../labs/mistakes.ts'
import { nextLab } from '../../labs/next.ts'
import { LabPresenter } from '../../labs/present.ts'
import { changeProgress, readProgress } from '../../labs/progress.ts'
import { contentOf, noteProven } from '../../labs/proven.ts'
import { Trials } from '../../labs/trials.ts'
import { isPassed, isWritten, judgeTasks, noteVerdict, type Verdict, workingOn } from '../../labs/verdict.ts'
import { openWorkspace } from '../../labs/open-workspace.ts'
import { fileOf, startFileOf, type Workspace } from '../../labs/workspace.ts'
import type { CheckFlags } from './lab.ts'
import { EXIT } from '../exit.ts'
import { isRootless } from '../rootless.ts'
import { loadLabs } from '../exercises.ts'
import { labsBefore, whichLab } from './which-lab.ts'

/** `minilab check N`; resolves to the exit status. */
export async function check(word: string | undefined, flags: CheckFlags): Promise<number> {
  const workspace = openWorkspace()
  const exercise = await whichLab(word, workspace)
  const rootless = isRootless(flags.rootless)
  await using trials = new Trials(exercise, rootless, 'once')
  void trials.prepare() // its process starts while we read the tasks
  using ended = endedAtLast()
  const mistakes = mistakesIn(workspace, exercise, ended.signal) // runs in parallel with the trial
  mistakes.catch(() => undefined) // the rejection is handled below, unless the trial fails
  const { verdict, progress } = await checkLab(workspace, exercise, rootless, trials)
  if (flags.json) process.stdout.write(JSON.stringify({ ...verdict, mistakes: await mistakes }) + '\n')
  else {
    const presenter = new LabPresenter({ plain: flags.plain ?? false })
    presenter.verdict(exercise, verdict, progress)
    presenter.mistakes(await mistakes)
  }
  if (verdict.passed) return EXIT.ok
  return verdict.tasks.some(({ state }) => state === 'failed') ? EXIT.failed : EXIT.machine
}

/** A signal that fires at the end of the scope, to end whatever still runs. */
function endedAtLast(): Disposable & { signal: AbortSignal } {
  const controller = new AbortController()
  return { signal: controller.signal, [Symbol.dispose]: () => controller.abort() }
}

/** Runs the trial of a lab and records the result. If `signal` ends it, it rejects and records nothing. */
export async function checkLab(
  workspace: Workspace,
  exercise: Exercise,
  rootless: boolean,
  trials: Trials,
  signal?: AbortSignal,
) {
  const own = await passedBefore(workspace, exercise)
  const content = contentOf(workspace, exercise)
  const start = contentOf(workspace, exercise, startFileOf(exercise))
  const tried = await trials.try({ number: exercise.number, folder: workspace.folder, rootless, own }, signal)
  const tasks = judgeTasks(exercise, tried)
  const problem = tried.problem ?? null
  const working = workingOn(exercise, tasks, problem, readProgress(workspace))
  let written = true
  const progress = changeProgress(workspace, noted => {
    noteVerdict(noted, exercise, { tasks, working, problem })
    if (working !== null) written = isWritten(noted, exercise, working, { tried, content, start })
    if (tasks.every(({ state }) => state !== 'failed')) noteProven(noted, exercise, content, { rootless })
  })
  // if the learner has tried nothing yet, the reference's calls would give the answer away
  if (!written) certain(tasks.find(({ id }) => id === working)).difference = null
  const passed = tasks.every(({ state }) => state === 'passed')
  const verdict: Verdict = {
    lab: exercise.number,
    name: exercise.name,
    file: fileOf(workspace, exercise),
    mode: rootless ? 'rootless' : 'root',
    passed,
    own,
    tasks,
    working,
    written,
    next: passed ? (nextLab(await loadLabs(), progress)?.number ?? null) : exercise.number,
    problem,
    said: tried.said,
    left: (tried.report?.host.left ?? []).filter(isOnMachine),
  }
  return { verdict, progress, tried }
}

/** The earlier chapters that the learner has passed: their container grows from lab to lab. */
export async function passedBefore(workspace: Workspace, exercise: Exercise): Promise<number[]> {
  const progress = readProgress(workspace)
  const before = await labsBefore(exercise)
  return before.filter(lab => isPassed(progress, lab)).map(({ number }) => number)
}

/** Mounts, links and names belong to the sandbox and disappear with it; leftover processes and cgroups are reported. */
const isOnMachine = (line: string) => /^\S (process|cgroup) /.test(line)
