import { isKind } from '../../common/errors.ts'
import type { Step } from '../step.ts'
import type { Attack, Cell } from './attack.ts'
import { attacks } from './attacks.ts'
import type { AttackedHost } from './attacked-host.ts'
import { partsUpTo, Target } from './target.ts'

/** Runs all attacks on the container of one chapter, one after the other. `steps` are those of all chapters. */
export async function attackChapter(
  number: number,
  steps: readonly Step[],
  host: AttackedHost,
): Promise<Cell[]> {
  const step = steps.find(candidate => candidate.number === number)
  if (!step) throw new RangeError(`there is no chapter ${number}`)
  await using target = new Target(step, partsUpTo(number, steps), host)
  const cells: Cell[] = []
  for (const attack of attacks) cells.push(await attempt(attack, target))
  return cells
}

async function attempt(attack: Attack, target: Target): Promise<Cell> {
  const cell = { attack: attack.id, chapter: target.number }
  try {
    const outcome = await attack.act(target)
    return { ...cell, ...outcome, limited: outcome.stopped === null ? outcome.evidence : null }
  } catch (error) {
    if (!isKind(error, 'limited')) throw error
    return { ...cell, stopped: null, evidence: error.message, limited: error.message }
  }
}
