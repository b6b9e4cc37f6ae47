import { certain } from '../../common/certain.ts'
import type { Exercise } from '../../labs/exercise.ts'
import { readProgress } from '../../labs/progress.ts'
import { nextLab } from '../../labs/next.ts'
import type { Workspace } from '../../labs/workspace.ts'
import { MinilabError } from '../../common/errors.ts'
import { hint } from '../../common/suggest.ts'
import { exercises, loadLabs } from '../exercises.ts'

/** The lab that a word means: `3`, `root`; without a word, the next lab to do. Throws a usage error with the nearest name. */
export async function whichLab(word: string | undefined, workspace: Workspace): Promise<Exercise> {
  if (word === undefined) {
    const progress = readProgress(workspace)
    const labs = await loadLabs()
    return nextLab(labs, progress) ?? certain(labs.at(-1))
  }
  return labNamed(word)
}

/** The lab with a given number or name. */
export async function labNamed(word: string): Promise<Exercise> {
  const found = exercises.find(({ number, name }) => word === name || word === String(number))
  if (found) return found.load()
  const names = exercises.map(({ name }) => name)
  throw new MinilabError(
    'usage',
    `there is no lab "${word}"`,
    hint(word, names, `the labs are ${exercises.map(({ number, name }) => `${number} ${name}`).join(', ')}`),
  )
}

/** The labs before a given lab. */
export async function labsBefore({ number }: Exercise): Promise<Exercise[]> {
  return loadLabs(lab => lab.number < number)
}
