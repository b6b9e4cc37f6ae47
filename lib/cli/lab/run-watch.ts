import { certain } from '../../common/certain.ts'
import { MinilabError } from '../../common/errors.ts'
import type { Exercise } from '../../labs/exercise.ts'
import { type Mistake, mistakesIn } from '../../labs/mistakes.ts'
import type { DiffPresenter } from '../../labs/present-diff.ts'
import { changeProgress, readProgress } from '../../labs/progress.ts'
import { resetLab } from '../../labs/reset.ts'
import { labAfter } from '../../labs/next.ts'
import { onSave } from '../../labs/on-save.ts'
import { Trials, type TriedOut } from '../../labs/trials.ts'
import { isPassed } from '../../labs/verdict.ts'
import { fileOf, type Workspace } from '../../labs/workspace.ts'
import { openWorkspace } from '../../labs/open-workspace.ts'
import { loadLabs } from '../exercises.ts'
import type { CheckFlags } from './lab.ts'
import { pressed } from './pressed.ts'
import { isRootless } from '../rootless.ts'
import { checkLab } from './run-check.ts'
import { compare, showCompared } from './run-diff.ts'
import { nextHint } from './run-lab.ts'
import { type View, WatchScreen } from './watch-screen.ts'
import { whichLab } from './which-lab.ts'

/** `minilab watch N`: checks again on each save, and listens to single keys; changes to another lab only on request. */
export async function watch(word: string | undefined, flags: CheckFlags): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new MinilabError('usage', 'watch needs a terminal', 'use minilab check N')
  const workspace = openWorkspace()
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => undefined) // the rejection is handled below
  const watched = new Watched({
    workspace,
    labs: await loadLabs(),
    exercise: await whichLab(word, workspace),
    rootless: isRootless(flags.rootless),
    fail: failure.reject,
  })
  try {
    watched.check()
    await Promise.race([pressed(key => watched.press(key)), failure.promise])
  } finally {
    process.stdin.emit('end') // the code that listens for keys can stop
    await watched[Symbol.asyncDispose]()
    process.stdout.write('\n')
  }
}

/** A job that runs while keys are read; it can be ended, and then finishes soon. */
interface Job {
  ended: AbortController
  done: Promise<void>
}

/** Ends jobs; resolves when they have finished. */
async function end(jobs: (Job | undefined)[]): Promise<void> {
  const running = jobs.flatMap(job => job ?? [])
  for (const { ended } of running) ended.abort()
  await Promise.all(running.map(({ done }) => done))
}

interface About {
  workspace: Workspace
  labs: readonly Exercise[]
  exercise: Exercise
  rootless: boolean
  /** called with the reason when the watch has to end */
  fail(error: unknown): void
}

/** One watched lab. Keys are answered at once: anything slow is a job that runs beside them. */
class Watched implements AsyncDisposable {
  readonly #about: About
  #exercise: Exercise
  #trials: Trials
  #stop: () => void
  readonly #screen = new WatchScreen()
  #checking: Job | undefined
  #comparing: Job | undefined
  #tried: Promise<TriedOut> | undefined
  /** the result of the latest check */
  #found: View | undefined
  /** x was pressed once */
  #armed = false
  /** a message to show after the next check, which starts by itself */
  #notice = ''
  readonly #leaving: Promise<void>[] = []

  constructor(about: About) {
    this.#about = about
    this.#exercise = about.exercise
    this.#trials = new Trials(about.exercise, about.rootless, 'ahead')
    this.#stop = onSave(this.#file, () => this.check())
  }

  get #file(): string {
    return fileOf(this.#about.workspace, this.#exercise)
  }

  press(key: string): void {
    if (key !== 'x') this.#armed = false
    this.#keys[key]?.()
  }

  /** Checks the current content of the file, and replaces a check that still runs. */
  check(): void {
    const exercise = this.#exercise
    const waiting: View = presenter => presenter.note(`checking lab ${exercise.number} …`)
    this.#screen.show(waiting)
    this.#found = undefined
    const tried = Promise.withResolvers<TriedOut>()
    tried.promise.catch(() => undefined) // the comparing job handles the rejection
    this.#tried = tried.promise
    this.#checking = this.#begin([this.#checking, this.#comparing], async signal => {
      try {
        tried.resolve(await this.#checked(exercise, waiting, signal))
      } catch (error) {
        tried.reject(error)
        throw error
      }
    })
  }

  async #checked(exercise: Exercise, waiting: View, signal: AbortSignal): Promise<TriedOut> {
    const { workspace, rootless } = this.#about
    const mistakes = mistakesIn(workspace, exercise, signal) // runs in parallel with the trial
    mistakes.catch(() => undefined) // the rejection is handled below, unless the trial fails
    const { verdict, progress, tried } = await checkLab(workspace, exercise, rootless, this.#trials, signal)
    let told: Mistake[] = []
    const notice = this.#notice
    this.#notice = ''
    const found: View = presenter => {
      presenter.verdict(exercise, verdict, progress)
      presenter.mistakes(told)
      if (notice) presenter.note(notice)
    }
    this.#found = found
    this.#screen.replace(waiting, found, `lab ${exercise.number} is checked: v shows it`)
    told = await mistakes
    if (told.length > 0) this.#screen.replace(found, found)
    return tried
  }

  #compare(): void {
    const exercise = this.#exercise
    const waiting: View = presenter => presenter.note('comparing the system calls …')
    this.#screen.show(waiting)
    this.#comparing = this.#begin([this.#comparing], async signal => {
      const tried = await certain(this.#tried)
      signal.throwIfAborted()
      const { workspace, rootless } = this.#about
      const compared = await compare({ workspace, exercise, rootless, trials: this.#trials, tried, signal })
      this.#screen.replace(waiting, presenter => showCompared(presenter, exercise, compared))
    })
  }

  /** Starts a job after others have ended. */
  #begin(others: (Job | undefined)[], work: (signal: AbortSignal) => Promise<void>): Job {
    const over = end(others)
    const ended = new AbortController()
    const run = async () => {
      await over
      if (!ended.signal.aborted) await work(ended.signal)
    }
    const done = run().catch(error => {
      if (!ended.signal.aborted) this.#about.fail(error)
    })
    return { ended, done }
  }

  readonly #keys: Record<string, () => void> = {
    h: () => {
      const exercise = this.#exercise
      const progress = changeProgress(this.#about.workspace, noted => nextHint(noted, exercise))
      this.#screen.show(presenter => presenter.hints(exercise, progress))
    },
    d: () => this.#compare(),
    r: () => this.check(),
    v: () => {
      if (this.#found) this.#screen.show(this.#found)
      else this.#screen.add(presenter => presenter.note('The check is still running.'))
    },
    t: () => this.#screen.show(this.#task()),
    l: () => {
      const { labs, workspace } = this.#about
      const [progress, { number }] = [readProgress(workspace), this.#exercise]
      this.#screen.show(presenter => presenter.list(labs, progress, number))
    },
    n: () => {
      const { labs, workspace } = this.#about
      const next = labAfter(labs, readProgress(workspace), this.#exercise)
      if (next) this.#enter(next)
      else
        this.#screen.show(presenter =>
          presenter.note('All labs are passed: `minilab run --mine default /bin/sh`'),
        )
    },
    x: () => this.#reset(),
  }

  #task(): View {
    const [exercise, file] = [this.#exercise, this.#file]
    const progress = readProgress(this.#about.workspace)
    return (presenter: DiffPresenter) => presenter.lab(exercise, file, progress)
  }

  #enter(next: Exercise): void {
    const left = this.#exercise.number
    const isOpen = !isPassed(readProgress(this.#about.workspace), this.#exercise)
    this.#leaving.push(this.#leave())
    this.#exercise = next
    this.#found = undefined
    this.#trials = new Trials(next, this.#about.rootless, 'ahead')
    void this.#trials.prepare()
    this.#stop = onSave(this.#file, () => this.check())
    const task = this.#task()
    this.#screen.show(presenter => {
      if (isOpen) presenter.note(`Lab ${left} is not passed yet; \`minilab watch ${left}\` goes back.`)
      task(presenter)
    })
  }

  #reset(): void {
    const { number } = this.#exercise
    if (!this.#armed) {
      this.#armed = true
      return this.#screen.add(presenter =>
        presenter.note(
          `Press x again to put back the start file of lab ${number}; your file is kept beside it.`,
        ),
      )
    }
    this.#armed = false
    const kept = resetLab(this.#about.workspace, this.#exercise)
    if (kept) this.#notice = `The start file is back; yours is kept as ${kept}.`
    else this.#screen.add(presenter => presenter.note('It was the start file already.'))
  }

  /** Ends everything that runs for this lab. */
  async #leave(): Promise<void> {
    const trials = this.#trials
    this.#stop()
    await end([this.#checking, this.#comparing])
    await trials[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#screen.close()
    await Promise.all([...this.#leaving, this.#leave()])
  }
}
