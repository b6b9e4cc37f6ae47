import { certain } from '../../common/certain.ts'
import { runInSandbox } from '../../sandbox/start.ts'
import { ourselves } from '../../common/ourselves.ts'
import { askAgain, questionsOf } from '../../guide/quiz.ts'
import { Presenter } from '../../guide/present.ts'
import { inkFor } from '../../guide/printer.ts'
import type { Step } from '../../guide/step.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { Subject } from '../../kernel/process/handed.ts'
import { shellStatus } from '../../kernel/process/child.ts'
import { MinilabError } from '../../common/errors.ts'
import { missedQuestions, notePredictions } from '../../labs/predictions.ts'
import { changeProgress, readProgress } from '../../labs/progress.ts'
import { openWorkspace } from '../../labs/open-workspace.ts'
import { type Workspace } from '../../labs/workspace.ts'
import type { QuizFlags } from './quiz.ts'
import { EXIT } from '../exit.ts'
import { isRootless } from '../rootless.ts'
import { NEEDS_SANDBOX } from '../step/run-steps.ts'
import { steps } from '../steps.ts'

/** In the sandbox: the flags of the quiz. */
const QUIZ = new Subject<QuizFlags>('quiz')

interface Round {
  step: Step
  questions: Set<string>
}

/** Asks the questions of some steps again and records the answers; `--json` prints the record. Resolves to the exit status. */
export async function quiz(numbers: readonly number[], typed: QuizFlags): Promise<number> {
  const flags = QUIZ.told ?? typed
  const workspace = openWorkspace()
  if (flags.json) {
    printNoted(workspace, numbers)
    return EXIT.ok
  }
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new MinilabError(
      'usage',
      'the quiz needs a terminal for your answers',
      '--json prints your predictions without asking',
    )
  const rounds = await roundsOf(workspace, numbers, flags.all ?? false)
  const presenter = new Presenter({ plain: flags.plain ?? false })
  if (rounds.length === 0) {
    presenter.note(await nothingToAsk(workspace, numbers))
    return EXIT.ok
  }
  const began = new Date().toISOString()
  for (const round of rounds) {
    const status = await play(workspace, round, flags, presenter)
    if (status !== EXIT.ok) return status // the user left the quiz
  }
  if (!process.env.MINILAB_SANDBOX) presenter.note(score(workspace, rounds, began))
  return EXIT.ok
}

async function roundsOf(workspace: Workspace, numbers: readonly number[], all: boolean): Promise<Round[]> {
  const missed = missedQuestions(readProgress(workspace))
  const chapters = await Promise.all(numbers.map(number => certain(steps[number - 1]).load()))
  return chapters
    .map(step => ({ step, questions: new Set(questionsOf(step).filter(q => all || missed.has(q))) }))
    .filter(({ questions }) => questions.size > 0)
}

async function nothingToAsk(workspace: Workspace, numbers: readonly number[]): Promise<string> {
  const { predictions } = readProgress(workspace)
  const known = Object.values(predictions).filter(({ step }) => numbers.includes(step)).length
  const all = (await roundsOf(workspace, numbers, true)).reduce(
    (sum, { questions }) => sum + questions.size,
    0,
  )
  const which = numbers.length === 1 ? ` ${numbers[0]}` : ''
  const found = known
    ? `You predicted ${known} of ${known} correctly.`
    : `None of your predictions is recorded yet: \`minilab step ${numbers[0]}\` asks for the first.`
  return `${found} \`minilab quiz${which} --all\` asks all ${all} again.`
}

/** Asks the questions of one step; re-executes minilab in the sandbox if the step's host side needs it. Resolves to the exit status. */
async function play(
  workspace: Workspace,
  { step, questions }: Round,
  flags: QuizFlags,
  presenter: Presenter,
): Promise<number> {
  const plain = flags.plain ?? false
  const rootless = isRootless()
  if (rootless && step.number >= NEEDS_SANDBOX && !process.env.MINILAB_SANDBOX) {
    const env = { ...process.env, MINILAB_DATA: dataFolder(), MINILAB_WORKSPACE: workspace.folder }
    const args = ourselves(['quiz', String(step.number)])
    return shellStatus(await runInSandbox({ kind: 'network' }, { args, env, told: QUIZ.tell(flags) }))
  }
  presenter.line(inkFor(plain).bold(`Step ${step.number} · ${step.name}: ${step.title}`))
  const report = await askAgain(step, questions, { rootless, plain })
  changeProgress(workspace, progress => notePredictions(progress, report))
  for (const { reason, remedy } of report.predictions.length < questions.size ? report.limited : [])
    presenter.limited(reason, remedy)
  presenter.line()
  return EXIT.ok
}

/** Uses the recorded answers, because some were recorded in the sandbox. A question that cannot be asked here has no new answer. */
function score(workspace: Workspace, rounds: readonly Round[], began: string): string {
  const { predictions } = readProgress(workspace)
  const asked = rounds.flatMap(({ questions }) => [...questions])
  const answered = asked.flatMap(question => predictions[question] ?? []).filter(({ at }) => at >= began)
  const right = answered.filter(({ said, answer }) => said === answer).length
  const rest = right < answered.length ? ' `minilab quiz` asks the others again.' : ''
  return `${right} of ${answered.length} predicted.${rest}`
}

function printNoted(workspace: Workspace, numbers: readonly number[]): void {
  const predictions = Object.entries(readProgress(workspace).predictions)
    .filter(([, { step }]) => numbers.includes(step))
    .map(([question, noted]) => ({ question, ...noted, right: noted.said === noted.answer }))
    .sort((a, b) => a.step - b.step)
  console.log(JSON.stringify({ workspace: workspace.folder, predictions }))
}
