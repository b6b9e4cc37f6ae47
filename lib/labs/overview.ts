import { Printer } from '../guide/printer.ts'
import { counted } from '../guide/text.ts'
import type { Exercise } from './exercise.ts'
import { nextLab } from './next.ts'
import type { Progress } from './progress-shape.ts'
import { reportedExercises } from './report.ts'
import type { ReportedExercise, TaskState } from './report-shape.ts'
import { taskAt } from './verdict.ts'
import type { Workspace } from './workspace.ts'

/** The document that `minilab progress --json` prints. */
export interface Overview {
  workspace: string
  exercises: ReportedExercise[]
  tasks: { passed: number; all: number }
  hints: number
  predictions: { right: number; asked: number }
  /** the current task; null if all are passed */
  next: { exercise: string; number: number; task: string; title: string; state: TaskState } | null
}

/** The learner's progress. */
export function overview(
  { folder }: Workspace,
  exercises: readonly Exercise[],
  progress: Progress,
): Overview {
  const reported = reportedExercises(exercises, progress)
  const tasks = reported.flatMap(({ number, name, tasks }) =>
    tasks.map(task => ({ ...task, number, exercise: `${number}-${name}` })),
  )
  const lab = nextLab(exercises, progress)
  const task = lab && taskAt(progress, lab)
  const next = task && tasks.find(({ number, id }) => number === lab.number && id === task.id)
  const predictions = Object.values(progress.predictions)
  return {
    workspace: folder,
    exercises: reported,
    tasks: { passed: tasks.filter(({ passed }) => passed).length, all: tasks.length },
    hints: tasks.reduce((sum, { hints }) => sum + hints, 0),
    predictions: {
      right: predictions.filter(({ said, answer }) => said === answer).length,
      asked: predictions.length,
    },
    next: next
      ? {
          exercise: next.exercise,
          number: next.number,
          task: next.id,
          title: next.title,
          state: next.state,
        }
      : null,
  }
}

/** How each state of a task is shown. */
export const MARKS: Record<
  TaskState,
  [mark: string, colour: 'green' | 'yellow' | 'red' | 'dim', meaning: string]
> = {
  passed: ['✔', 'green', 'passed'],
  'gave up': ['◆', 'yellow', 'solution read first'],
  failing: ['✘', 'red', 'failing'],
  tried: ['◦', 'yellow', 'begun'],
  untouched: ['·', 'dim', 'open'],
}

/** Prints `minilab progress`: a line for each chapter, a mark for each task. */
export class ProgressPresenter extends Printer {
  overview({ workspace, exercises, tasks, hints, predictions, next }: Overview): void {
    const { bold, dim } = this.ink
    this.head(' Your progress ')
    this.line(dim(` ${workspace}`))
    this.line()
    const marks = Math.max(...exercises.map(({ tasks }) => 2 * tasks.length))
    for (const { number, name, tasks } of exercises) {
      const passed = tasks.filter(({ passed }) => passed).length
      const read = tasks.reduce((sum, { hints }) => sum + hints, 0)
      const row = tasks.map(({ state }) => this.#mark(state)).join(' ')
      const room = ' '.repeat(marks - 2 * tasks.length + 3)
      const count = `${passed} of ${tasks.length}`
      this.line(
        `   ${number}  ${name.padEnd(12)} ${row}${room}${count}${dim(read ? `   ${counted(read, 'hint')}` : '')}`,
      )
    }
    this.line()
    const seen = (Object.keys(MARKS) as TaskState[]).filter(state =>
      exercises.some(({ tasks }) => tasks.some(task => task.state === state)),
    )
    this.line(`   ${seen.map(state => `${this.#mark(state)} ${dim(MARKS[state][2])}`).join('   ')}`)
    this.line()
    const { right, asked } = predictions
    const rest = [
      hints ? counted(hints, 'hint') : '',
      asked ? `${right} of ${counted(asked, 'prediction')} right` : '',
    ]
    const sum = bold(`${tasks.passed} of ${counted(tasks.all, 'task')} passed`)
    this.line(`   ${[sum, ...rest].filter(Boolean).join(' · ')}`)
    this.line()
    if (next) {
      const command = next.state === 'untouched' ? 'lab' : 'check'
      this.note(`Next: ${next.title}, in ${next.exercise}.ts: \`minilab ${command} ${next.number}\``)
    } else this.note('All passed: `minilab run --mine default` runs a container from your own parts.')
    if (right < asked) this.note('`minilab quiz` asks again what you predicted wrongly.')
    this.line()
  }

  #mark(state: TaskState): string {
    const [mark, colour] = MARKS[state]
    return this.ink[colour](mark)
  }
}
