import { MinilabError } from '../../common/errors.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { isAlive } from '../../kernel/process/procfs.ts'
import { heldByOwners } from '../ledger/ledger.ts'
import type { State } from './state-shape.ts'

/** Throws a usage error if a container runs in a pid namespace that we cannot see: the owner of its ledger lives, by the ledger's lock. */
export function refuseElsewhere({ name, pid, started, keeper, exit }: State): void {
  if (exit || isAlive(keeper.pid, keeper.started)) return
  const isHeld = heldByOwners(dataFolder()).some(
    entry => entry.kind === 'process' && entry.pid === pid && entry.started === started,
  )
  if (isHeld) throw elsewhere(name)
}

export const elsewhere = (name: string) =>
  new MinilabError(
    'usage',
    `${name} runs in a different pid namespace`,
    'use the command there; minilab ps shows the container there',
  )
