import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { certain } from '../../common/certain.ts'
import type { RightAnswer, Unsolved, WrongAnswer } from '../../labs/answer.ts'
import { type Answers, casesOf, lint, runCase } from '../../labs/dev-check.ts'
import type { Exercise } from '../../labs/exercise.ts'
import { Trials } from '../../labs/trials.ts'
import { ownFolder } from '../../common/own-folder.ts'
import { MinilabError } from '../../common/errors.ts'
import type { DevFlags } from './dev.ts'
import { loadLabs } from '../exercises.ts'
import { EXIT } from '../exit.ts'
import { isRootless } from '../rootless.ts'
import { labsBefore, labNamed } from '../lab/which-lab.ts'

/** How many answers are tried in parallel. */
const AT_ONCE = 2

/** Runs every answer of one lab or of all; resolves to the exit status, which says whether each behaved as it should. */
export async function devCheck(word: string | undefined, flags: DevFlags): Promise<number> {
  let status: number = EXIT.ok
  const labs = word === undefined ? await loadLabs() : [await labNamed(word)]
  for (const experiment of labs) {
    const answers = await answersTo(experiment)
    const all = [...(await labsBefore(experiment)), experiment]
    const results: { name: string; wrong: string | null }[] = []
    const report = (name: string, wrong: string | undefined) => {
      results.push({ name, wrong: wrong ?? null })
      if (!flags.json)
        console.log(
          wrong === undefined ? `✔ ${experiment.number} ${name}` : `✘ ${experiment.number} ${name}: ${wrong}`,
        )
      if (wrong !== undefined) status = EXIT.failed
    }
    for (const wrong of lint(experiment, answers)) report('what is written', wrong)
    const left = casesOf(experiment, flags.quick ? firstOfEach(answers) : answers)
      .filter(({ name }) => name.includes(flags.only))
      .filter(({ rootOnly }) => !rootOnly || !isRootless(flags.rootless))
    const rootless = isRootless(flags.rootless)
    const worker = async () => {
      await using trials = new Trials(experiment, rootless, 'shared')
      for (let one = left.shift(); one; one = left.shift())
        report(one.name, await runCase(one, experiment, all, rootless, trials))
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    if (flags.json) process.stdout.write(JSON.stringify({ lab: experiment.number, results }) + '\n')
  }
  return status
}

/** The first answer of each kind for each task. */
function firstOfEach({ right, wrong, unsolved }: Answers): Answers {
  const first = <T extends { task: string }>(answers: readonly T[]) =>
    answers.filter(({ task }, i) => answers.findIndex(other => other.task === task) === i)
  return { right: first(right), wrong: first(wrong), unsolved }
}

/** The right and wrong answers of a lab are stored with the tests. */
async function answersTo({ number, name }: Exercise): Promise<Answers> {
  const load = async <T>(kind: 'right' | 'wrong' | 'unsolved'): Promise<T> => {
    const file = join(ownFolder, 'test/labs', kind, `${number}-${name}.ts`)
    if (!existsSync(file))
      throw new MinilabError(
        'usage',
        `there is no ${file}`,
        'run dev check in a checkout, which has the tests',
      )
    return certain(((await import(pathToFileURL(file).href)) as Record<string, T>)[kind])
  }
  return {
    right: await load<RightAnswer[]>('right'),
    wrong: await load<WrongAnswer[]>('wrong'),
    unsolved: await load<Unsolved[]>('unsolved'),
  }
}
