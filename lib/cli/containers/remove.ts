import { rmSync } from 'node:fs'
import { heldByOwners, recover } from '../../container/ledger/ledger.ts'
import { heldByLiving } from '../../container/state/held-changes.ts'
import { containerFolder, damagedIds, findState, isRunning } from '../../container/state/state.ts'
import type { State } from '../../container/state/state-shape.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { removeTree } from '../../image/tree.ts'
import { closing } from '../../common/descriptor.ts'
import { MinilabError } from '../../common/errors.ts'
import { bootId, children, isAlive } from '../../kernel/process/procfs.ts'
import { ended, endProcess, findProcess, send } from '../../kernel/process/signal.ts'
import { warn } from '../report-error.ts'

import { each } from './each.ts'
import { thawOwn } from './kill.ts'
const KEEPER_TIMEOUT = 20_000 // ms
/** How long it may hand on output before it is told to end, where nobody may want that any more: ms. */
const OUTPUT_TIMEOUT = 2000

/** `minilab rm`: the container's own layer, its state, its log. Resolves to the exit status. */
export async function rm(containers: string[], force = false): Promise<number> {
  const damaged = damagedIds()
  const status = await each(containers, async word =>
    console.log(damaged.includes(word) ? await removeDamaged(word, force) : await remove(word, force)),
  )
  await recover(dataFolder())
  return status
}

/** Takes a container away, with `force` also one that runs; resolves to its name. */
export async function remove(word: string, force: boolean): Promise<string> {
  const state = findState(word)
  if (isRunning(state)) {
    if (!force)
      throw new MinilabError('usage', `${state.name} still runs`, `minilab kill ${state.name}, or rm -f`)
    await endProcess(state.pid, state.started, () => thawOwn(state))
  }
  if (isKeptElsewhere(state))
    throw new MinilabError(
      'usage',
      `${state.name} runs in another pid namespace than ours`,
      'remove it there, where minilab ps shows it',
    )
  await keeperDone(state, force)
  removeTree(containerFolder(state.id))
  if (state.log) rmSync(state.log, { force: true })
  return state.name
}

/** Whether a command that we cannot see, but whose ledger is locked, looks after its first process. */
function isKeptElsewhere({ pid, started, keeper, exit }: State): boolean {
  if (exit || isAlive(keeper.pid, keeper.started)) return false
  return heldByOwners(dataFolder()).some(
    entry => entry.kind === 'process' && entry.pid === pid && entry.started === started,
  )
}

/** Of a container without a state we know its folder, and from a ledger the process that looks after it, if there is one. */
async function removeDamaged(id: string, force: boolean): Promise<string> {
  const folder = containerFolder(id)
  if (!force)
    throw new MinilabError(
      'usage',
      `the state of ${id} is damaged, so it may still run`,
      `minilab rm -f ${id} removes it`,
    )
  const keeper = heldByLiving(dataFolder()).find(
    ({ entry }) => entry.kind === 'folder' && entry.path === folder,
  )
  if (keeper) {
    for (const pid of children(keeper.pid)) await endProcess(pid)
    await keeperDone({ name: id, keeper, boot: bootId() }, force)
  }
  removeTree(folder)
  return id
}

type Kept = Pick<State, 'name' | 'boot'> & { keeper: { pid: number; started?: number } }

/** Waits until whoever looks after a container has noted its end and taken back what was made for it. */
async function keeperDone({ name, keeper, boot }: Kept, force: boolean): Promise<void> {
  const pidfd = boot === bootId() ? findProcess(keeper.pid, keeper.started) : undefined
  if (pidfd === undefined) return
  using _ = closing(pidfd)
  // one whose reader does not read ends at a signal: Connection.finish
  if (force && !(await ended(pidfd, OUTPUT_TIMEOUT))) send(pidfd, 'SIGTERM')
  if (await ended(pidfd, KEEPER_TIMEOUT)) return
  if (!force)
    throw new MinilabError(
      'usage',
      `${name} has ended, and process ${keeper.pid} still hands on what it wrote`,
      `read its output, or minilab rm -f ${name}`,
    )
  // what it had made, its ledger knows, and whoever comes next takes it back
  warn(`process ${keeper.pid}, which looks after ${name}, does not end: it is killed`)
  send(pidfd, 'SIGKILL')
  await ended(pidfd)
}
