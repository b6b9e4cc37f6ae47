import { readFileSync, writeFileSync } from 'node:fs'
import type { RightAnswer, Unsolved, WrongAnswer } from './answer.ts'
import type { Exercise } from './exercise.ts'
import { withSolutions } from './with-solutions.ts'
import type { Trials } from './trials.ts'
import { judgeTasks, type TaskVerdict, whyFailed } from './verdict.ts'
import { fileOf, solutionFileOf, startFileOf } from './workspace.ts'

/** A file that a learner might have, and how it must be judged. */
export interface Case {
  name: string
  text: string
  rootOnly?: string | undefined
  /** the ids of the tasks that it is about; by default all */
  tasks?: string[]
  /** returns what is wrong with the verdict; undefined if nothing is */
  judge(tasks: TaskVerdict[], problem: string): string | undefined
}

/** The right and wrong answers that a lab's author provides. */
export interface Answers {
  right: RightAnswer[]
  wrong: WrongAnswer[]
  /** for each task except the first */
  unsolved: Unsolved[]
}

const LEAST = { right: 1, wrong: 3 }

/** Checks everything that must be true of a lab and needs no run; returns the problems. */
export function lint(
  { tasks, manPages, challenge, goal, exports }: Exercise,
  { right, wrong, unsolved }: Answers,
): string[] {
  const short = (text: string) => text.trim().length < 20
  return [
    ...(short(goal) ? ['it has no goal'] : []),
    ...(short(challenge) ? ['it has no challenge'] : []),
    ...tasks
      .slice(1)
      .filter(({ id }) => count(unsolved, id) !== 1)
      .map(({ id }) => `what the solution is without ${id} is not said`),
    ...manPages.filter(page => !/^[\w.-]+\(\d\w*\)$/.test(page)).map(page => `"${page}" is no man page`),
    ...tasks.flatMap(({ id, text, hints, checks, writes }) => [
      ...(writes && !Object.hasOwn(exports, writes)
        ? [`${id} is about ${writes}, which the file does not export`]
        : []),
      ...(short(text) ? [`${id} has no text`] : []),
      ...(checks.length === 0 ? [`${id} has no checks`] : []),
      ...(hints.length !== 3 || hints.some(short) ? [`${id} has not three hints`] : []),
      ...(new Set(hints).size < 3 ? [`${id} has the same hint twice`] : []),
      ...(/\b(tape|now)\.\w+\(/.test(hints[0]) ? [`the first hint of ${id} gives the line away`] : []),
      ...(count(right, id) < LEAST.right ? [`${id} has no other right answer`] : []),
      ...(count(wrong, id) < LEAST.wrong ? [`${id} has only ${count(wrong, id)} wrong answers`] : []),
    ]),
  ]
}

const count = (answers: readonly { task: string }[], id: string) =>
  answers.filter(({ task }) => task === id).length

/** The files to try for a lab. Throws if an answer's text does not occur exactly once in the solution. */
export function casesOf(exercise: Exercise, { right, wrong, unsolved }: Answers): Case[] {
  const solution = readFileSync(solutionFileOf(exercise), 'utf8')
  const stateOf = (tasks: TaskVerdict[], id: string) => tasks.find(task => task.id === id)
  /** the tasks that this machine cannot check, known from the reference's run; undefined if that was not run */
  let limitedTasks: string[] | undefined
  return [
    {
      name: 'the reference',
      text: solution,
      judge(tasks, problem) {
        limitedTasks = tasks.filter(({ state }) => state === 'limited').map(({ id }) => id)
        return listed(
          tasks.filter(({ state }) => state === 'failed'),
          'does not pass',
          problem,
        )
      },
    },
    ...['the start file', 'an empty file'].map((name, i) => ({
      name,
      text: i ? '' : readFileSync(startFileOf(exercise), 'utf8'),
      judge: (tasks: TaskVerdict[]) =>
        listed(
          tasks.filter(({ state }) => state === 'passed'),
          'passes',
        ),
    })),
    ...prefixes(exercise, solution, unsolved),
    ...wrong.map(({ task, name, edits, says, rootOnly }) => ({
      name: `wrong: ${task}: ${name}`,
      tasks: [task],
      rootOnly,
      text: edited(solution, edits, name),
      judge(tasks: TaskVerdict[], problem: string) {
        const verdict = stateOf(tasks, task)
        if (verdict?.state === 'limited' && limitedTasks && !limitedTasks.includes(task))
          return `${task} is limited, and the reference is not`
        if (verdict?.state !== 'failed') return verdict?.state === 'limited' ? undefined : `${task} passes`
        const told = [...verdict.checks.map(({ diagnosis }) => diagnosis), verdict.difference, problem].join(
          '\n',
        )
        return told.includes(says) ? undefined : `${task} fails, and does not say “${says}”: ${told}`
      },
    })),
    ...right.map(({ task, name, edits }) => ({
      name: `right: ${task}: ${name}`,
      tasks: [task],
      text: edited(solution, edits, name),
      judge(tasks: TaskVerdict[], problem: string) {
        const verdict = stateOf(tasks, task)
        return verdict?.state === 'failed'
          ? `${task} fails: ${whyFailed(verdict, null).diagnosis} ${problem}`
          : undefined
      },
    })),
  ]
}

/** Solves the tasks one after the other: with the solution up to a task, that task must pass, and the next one must not. */
function prefixes({ tasks }: Exercise, solution: string, unsolved: readonly Unsolved[]): Case[] {
  const ids = tasks.map(({ id }) => id)
  return ids.slice(0, -1).map((id, i) => {
    const [done, next = ''] = [ids.slice(0, i + 1), ids[i + 1]]
    const later = unsolved.filter(({ task }) => !done.includes(task))
    const name = `solved up to ${id}`
    return {
      name,
      tasks: [...done, next],
      text: later.reduceRight((text, { edits }) => edited(text, edits, name), solution),
      judge(verdicts: TaskVerdict[], problem: string) {
        const failed = verdicts.filter(verdict => done.includes(verdict.id) && verdict.state === 'failed')
        const passed = verdicts.filter(verdict => verdict.id === next && verdict.state === 'passed')
        return listed(failed, 'does not pass', problem) ?? listed(passed, 'passes')
      },
    }
  })
}

function listed(tasks: TaskVerdict[], what: string, more = ''): string | undefined {
  if (tasks.length === 0) return undefined
  return tasks.map(task => `${task.id} ${what}: ${whyFailed(task, null).diagnosis}`).join('; ') + more
}

function edited(text: string, edits: readonly [string, string][], name: string): string {
  return edits.reduce((result, [from, to]) => {
    const parts = result.split(from)
    if (parts.length !== 2)
      throw new Error(`${name}: these words are ${parts.length - 1} times in the solution: ${from}`)
    return parts.join(to)
  }, text)
}

/** Runs a case; resolves to what is wrong with it. `labs`: this one and those before it. */
export async function runCase(
  one: Case,
  exercise: Exercise,
  labs: readonly Exercise[],
  rootless: boolean,
  trials: Trials,
) {
  return withSolutions(labs, async workspace => {
    writeFileSync(fileOf(workspace, exercise), one.text)
    const own = labs.map(({ number }) => number).filter(number => number < exercise.number)
    const until = exercise.tasks.flatMap(({ id, checks }) => (one.tasks?.includes(id) ? checks : []))
    const request = {
      number: exercise.number,
      folder: workspace.folder,
      rootless,
      own,
      ...(one.tasks && { until }),
    }
    const tried = await trials.try(request)
    const { what = '', remedy = '' } = tried.problem ?? {}
    return one.judge(judgeTasks(exercise, tried), `${what} ${remedy}`)
  })
}
