import { certain } from '../../common/certain.ts'
import { asTyped } from '../../guide/as-typed.ts'
import { Presenter } from '../../guide/present.ts'
import { earlyPredictions } from '../../labs/early-predictions.ts'
import { readProgress } from '../../labs/progress.ts'
import { isForFirstPass, nextLab } from '../../labs/next.ts'
import { isOpen } from '../../labs/verdict.ts'
import { findWorkspace, noProgress } from '../../labs/workspace.ts'
import { loadLabs } from '../exercises.ts'
import { steps } from '../steps.ts'
import { stops } from './stops.ts'
import type { TourFlags } from './tour.ts'

interface TourLab {
  command: string
  when: 'write it' | 'can wait'
  why: string
  tasks: { passed: number; all: number }
}

interface TourStep {
  number: number
  name: string
  title: string
  /** as you can type it here */
  command: string
  minutes: number
  see: string
  /** whether one of its predictions is recorded */
  done: boolean
  lab: TourLab
}

/** The document that `minilab tour --json` prints. */
interface Tour {
  minutes: number
  steps: TourStep[]
  /** the next command */
  next: string
}

/** Shows the route through the course, and the learner's progress. Makes no workspace. */
export async function tour(flags: TourFlags): Promise<void> {
  const way = await readTour()
  if (flags.json) console.log(JSON.stringify(way))
  else new TourPresenter(flags).tour(way)
}

async function readTour(): Promise<Tour> {
  const workspace = findWorkspace()
  const progress = workspace ? readProgress(workspace) : noProgress()
  const predictions = [...Object.values(earlyPredictions()), ...Object.values(progress.predictions)]
  const [chapters, labs] = await Promise.all([Promise.all(steps.map(({ load }) => load())), loadLabs()])
  const way = chapters.map(({ number, name, title }, i): TourStep => {
    const { minutes, see, why } = certain(stops[i])
    const exercise = certain(labs[i])
    const open = exercise.tasks.filter(({ id }) => isOpen(progress, exercise, id)).length
    const all = exercise.tasks.length
    return {
      number,
      name,
      title,
      command: asTyped(`sudo minilab step ${number}`),
      minutes,
      see,
      done: predictions.some(({ step }) => step === number),
      lab: {
        command: labCommand(number),
        when: isForFirstPass(number) ? 'write it' : 'can wait',
        why,
        tasks: { passed: all - open, all },
      },
    }
  })
  // the step after the last finished one: a step that this machine cannot show is never finished. Then the labs
  const step = way[way.findLastIndex(({ done }) => done) + 1]
  const lab = nextLab(labs, progress)
  const next = step?.command ?? (lab ? labCommand(lab.number) : asTyped('minilab run --mine default'))
  return { minutes: way.reduce((sum, { minutes }) => sum + minutes, 0), steps: way, next }
}

const labCommand = (number: number) => asTyped(`minilab lab ${number}`)
const isPassed = ({ tasks }: TourLab) => tasks.passed === tasks.all

class TourPresenter extends Presenter {
  tour({ minutes, steps, next }: Tour): void {
    this.head(' The tour ')
    const first = steps.filter(({ lab }) => lab.when === 'write it')
    const numbers = new Intl.ListFormat('en-GB').format(first.map(({ number }) => `${number}`))
    const sudo = certain(steps[0]).command.startsWith('sudo ') ? ' Without root, leave out `sudo`.' : ''
    this.#text(
      `The seven steps in about ${minutes} minutes. Each adds a part to a container, and asks you to predict what the kernel does.${sudo} In the labs you write the parts yourself. They take longer: begin with labs ${numbers}, \`${certain(first[0]).lab.command}\` and so on.`,
    )
    for (const step of steps) this.#step(step)
    this.line()
    if (steps.some(({ done, lab }) => done || isPassed(lab)))
      this.line(this.ink.dim(" ✔ marks what you have done: a step's predictions, all tasks of a lab."))
    this.#text(`Next: \`${next}\``)
  }

  #step({ number, title, command, minutes, see, done, lab }: TourStep): void {
    const { bold, cyan, dim, green } = this.ink
    const mark = done ? green('✔') : ' '
    const time = `${minutes} min`
    const room = Math.max(2, this.width - 7 - title.length - time.length)
    this.line()
    this.line(` ${mark} ${bold(number)}  ${bold(title)}${' '.repeat(room)}${dim(time)}`)
    this.line(`      ${this.code(see)}`)
    this.line(`      ${cyan(command)}`)
    this.line(`      ${dim(`lab ${number}`)}  ${this.#when(lab)}  ${dim(lab.why)}`)
  }

  #when(lab: TourLab): string {
    const { green, bold, yellow, dim } = this.ink
    if (isPassed(lab)) return green('✔ passed')
    const { passed, all } = lab.tasks
    if (passed > 0) return yellow(`${passed} of ${all}`.padEnd(8))
    return lab.when === 'write it' ? bold(lab.when) : dim(lab.when)
  }

  #text(text: string): void {
    this.line(` ${this.code(text)}`)
  }
}
