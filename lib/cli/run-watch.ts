import { UsageError } from '../kernel/errors.ts'
import type { Exercise } from '../labs/exercise.ts'
import { mistakesIn } from '../labs/mistakes.ts'
import { LabPresenter } from '../labs/present.ts'
import { changeProgress, readProgress } from '../labs/progress.ts'
import { resetLab } from '../labs/reset.ts'
import { onSave } from '../labs/saved.ts'
import { Trials } from '../labs/try-out.ts'
import { isPassed } from '../labs/verdict.ts'
import { openWorkspace } from '../labs/open-workspace.ts'
import { fileOf } from '../labs/workspace.ts'
import { exercises, loadLabs } from './exercises.ts'
import type { CheckFlags } from './lab.ts'
import { isRootless } from './rootless.ts'
import { checkLab } from './run-check.ts'
import { diff } from './run-diff.ts'
import { nextHint } from './run-lab.ts'
import { whichLab } from './which-lab.ts'

const CLEAR = '\x1b[2J\x1b[3J\x1b[H'
const KEYS = 'h hint · d diff · r run again · t task · l list · n next lab · x reset · q quit'

/** `minilab watch N`: checks again on each save, and listens to single keys; goes to another lab only when told to. */
export async function watch(word: string | undefined, flags: CheckFlags): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new UsageError('watch needs a terminal', 'use minilab check N')
  const workspace = openWorkspace()
  let exercise = await whichLab(word, workspace)
  const rootless = isRootless(flags.rootless)
  const presenter = new LabPresenter()
  const queue = new Queue()
  let trials = new Trials(exercise, rootless, 'ahead')
  let armed = false // x was pressed once
  let notice = '' // to be said after the next check, which comes by itself

  const say = (text: string) => presenter.note(text)
  const footer = () => presenter.keys(KEYS)
  const onScreen = async (show: () => void | Promise<void>) => {
    process.stdout.write(CLEAR)
    await show()
    footer()
  }
  const failure = Promise.withResolvers<never>()
  const run = () => void queue.put('run', check).catch(failure.reject)
  const check = () =>
    onScreen(async () => {
      say(`checking lab ${exercise.number} …`)
      const mistakes = mistakesIn(workspace, exercise) // beside the trial
      const { verdict, progress } = await checkLab(workspace, exercise, rootless, trials)
      process.stdout.write(CLEAR)
      presenter.verdict(exercise, verdict, progress)
      presenter.mistakes(await mistakes)
      if (notice) say(notice)
      notice = ''
    })
  const enter = async (next: Exercise) => {
    stop()
    await trials[Symbol.asyncDispose]()
    exercise = next
    trials = new Trials(exercise, rootless, 'ahead')
    void trials.prepare()
    stop = onSave(fileOf(workspace, exercise), run)
  }

  let stop = onSave(fileOf(workspace, exercise), run)

  const keys: Record<string, () => void | Promise<void>> = {
    h: () =>
      onScreen(() =>
        presenter.hints(
          exercise,
          changeProgress(workspace, noted => nextHint(noted, exercise)),
        ),
      ),
    d: () => onScreen(() => diff(String(exercise.number), flags)),
    r: run,
    t: () => onScreen(() => presenter.lab(exercise, fileOf(workspace, exercise), readProgress(workspace))),
    l: () =>
      onScreen(async () => {
        const labs = await loadLabs()
        presenter.list(labs, readProgress(workspace), exercise.number)
      }),
    n: async () => {
      const next = exercises.find(({ number }) => number > exercise.number)
      if (!next) return onScreen(() => say('This is the last lab: `minilab run --mine default /bin/sh`'))
      const open = !isPassed(readProgress(workspace), exercise)
      await enter(await next.load())
      await onScreen(() => {
        if (open)
          say(
            `Lab ${exercise.number - 1} is not passed yet; \`minilab watch ${exercise.number - 1}\` goes back.`,
          )
        presenter.lab(exercise, fileOf(workspace, exercise), readProgress(workspace))
      })
    },
    x() {
      if (!armed) {
        say(
          `Press x once more to put back the start file of lab ${exercise.number}; what is there is kept beside it.`,
        )
        armed = true
        return
      }
      const kept = resetLab(workspace, exercise)
      if (kept) notice = `The start file is back; yours is kept as ${kept}.`
      else say('It was the start file already.')
    },
  }

  run()
  try {
    const told = pressed(async key => {
      const act = keys[key]
      if (key !== 'x') armed = false
      await queue.put(key, async () => act?.())
    })
    await Promise.race([told, failure.promise])
  } finally {
    stop()
    process.stdin.emit('end') // whoever listens for keys has heard enough
    await queue.done.catch(() => undefined) // that it failed is what we leave with
    await trials[Symbol.asyncDispose]()
    process.stdout.write('\n')
  }
}

/** One thing after the other; what waits already is not put twice. */
class Queue {
  done: Promise<void> = Promise.resolve()
  readonly #waiting = new Set<string>()

  put(name: string, task: () => Promise<void>): Promise<void> {
    if (this.#waiting.has(name)) return this.done
    this.#waiting.add(name)
    this.done = this.done.then(() => {
      this.#waiting.delete(name)
      return task()
    })
    return this.done
  }
}

/** q, Ctrl-C and Ctrl-D, however often. */
const END = 'q\x03\x04'
/** Terminals put what is pasted between these, where they are asked to: xterm's ctlseqs, "Bracketed Paste Mode". */
const PASTE = { on: '\x1b[?2004h', off: '\x1b[?2004l', begins: '\x1b[200~', ends: '\x1b[201~' }

/**
 * Tells of each key; resolves at q, Ctrl-C, Ctrl-D, or when the terminal goes. What is pasted does nothing: text in brackets, and,
 * of a terminal without them, several characters at once. Rejects where the telling fails.
 */
async function pressed(tell: (key: string) => Promise<void>): Promise<void> {
  const { stdin, stdout } = process
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  stdout.write(PASTE.on)
  let isPasting = false
  try {
    await new Promise<void>((resolve, reject) => {
      stdin.on('end', resolve)
      stdin.on('data', (text: string) => {
        if (text.includes(PASTE.begins)) isPasting = true
        if (text.includes(PASTE.ends)) isPasting = false
        else if (!isPasting && text.split('').every(key => END.includes(key))) resolve()
        else if (!isPasting && text.length === 1) tell(text).catch(reject)
      })
    })
  } finally {
    stdin.removeAllListeners('data')
    stdout.write(PASTE.off)
    stdin.setRawMode(false)
    stdin.pause()
  }
}
