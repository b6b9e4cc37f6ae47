import { runContainer, type RunRequest } from '../container/run.ts'
import { ownParts, ownRoot, rootLost, withLine } from '../labs/mine.ts'
import { exercises } from './exercises.ts'

/** `minilab run --mine`: the same of the learner's parts. A call of theirs that is refused is said with its line. */
export async function runMine(request: RunRequest): Promise<number> {
  const parts = await ownParts(await exercises.at(-1)!.load())
  const root = ownRoot()
  try {
    return await runContainer(request, parts)
  } catch (error) {
    throw root === ownRoot() ? withLine(error) : rootLost()
  }
}
