import { rmSync } from 'node:fs'
import { basename } from 'node:path'
import type { Entry } from '../../container/ledger/ledger-entry.ts'
import { Ledger, recover } from '../../container/ledger/ledger.ts'
import { elsewhere, refuseElsewhere } from '../../container/state/elsewhere.ts'
import { heldByLiving } from '../../container/state/held-changes.ts'
import {
  containerFolder,
  damagedIds,
  findState,
  isRunning,
  recordedProcess,
} from '../../container/state/state.ts'
import type { State } from '../../container/state/state-shape.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { isFull } from '../../image/error.ts'
import { removeTree } from '../../image/tree.ts'
import { removeCgroup, thaw } from '../../kernel/cgroup/cgroup.ts'
import { ourCgroups } from '../../kernel/cgroup/make-cgroup.ts'
import { closing } from '../../common/descriptor.ts'
import { MinilabError } from '../../common/errors.ts'
import { bootId, children } from '../../kernel/process/procfs.ts'
import { ended, endProcess, findProcess, send } from '../../kernel/process/signal.ts'
import { warn } from '../report-error.ts'
import { each } from './each.ts'
import { thawOwn } from './kill.ts'

const KEEPER_TIMEOUT = 20_000 // ms
/** ms: how long it may pass on output before we tell it to end, in case nothing reads that output any more. */
const OUTPUT_TIMEOUT = 2000

/** `minilab rm`: removes the container's own layer, its state and its log. Resolves to the exit status. */
export async function rm(containers: string[], force = false): Promise<number> {
  const damaged = damagedIds()
  const status = await each(containers, async word =>
    console.log(damaged.includes(word) ? await removeDamaged(word, force) : await remove(word, force)),
  )
  await recover(dataFolder())
  return status
}

/** Removes a container, with `force` even one that runs; resolves to its name. */
export async function remove(word: string, force: boolean): Promise<string> {
  const state = findState(word)
  if (isRunning(state)) {
    if (!force)
      throw new MinilabError(
        'usage',
        `${state.name} is still running`,
        `minilab kill ${state.name}, or rm -f`,
      )
    await endProcess(state.pid, state.started, () => thawOwn(state))
  }
  refuseElsewhere(state)
  await keeperDone(state, force)
  await discard(containerFolder(state.id), state.log)
  return state.name
}

/** Removes a container's files. If that is interrupted or refused, the next command goes on: without its state, `ps` does not list it. */
async function discard(folder: string, log?: string | null): Promise<void> {
  const ledger = new Ledger(dataFolder())
  try {
    if (log) ledger.add({ kind: 'file', path: log })
    ledger.add({ kind: 'folder', path: folder })
  } catch (error) {
    if (!isFull(error)) throw error
    removeTree(folder) // this makes room for the next ledger
    if (log) rmSync(log, { force: true })
  }
  await ledger.settle()
}

/**
 * Of a container without a state we know its folder. Its ledger names the process that looks after it, if there is one; the kernel
 * knows its cgroup; its first process may be recorded. The folder is removed last: by then nothing that we know of still runs.
 */
async function removeDamaged(id: string, force: boolean): Promise<string> {
  if (!force)
    throw new MinilabError(
      'usage',
      `the state of ${id} is damaged, so it may still be running`,
      `minilab rm -f ${id} removes it`,
    )
  const keepers = heldByLiving(dataFolder()).filter(({ entry }) => isOf(entry, id))
  for (const { folder } of keepers)
    if (folder !== dataFolder())
      throw new MinilabError(
        'usage',
        `${id} runs, and belongs to the data folder ${folder}`,
        `MINILAB_DATA=${folder} minilab rm -f ${id}`,
      )
  const pids = new Set(keepers.flatMap(({ pid }) => pid ?? []))
  if (keepers.length > pids.size && pids.size === 0) throw elsewhere(id)
  for (const pid of pids) {
    for (const child of children(pid)) await endProcess(child, undefined, () => thaw(child))
    await keeperDone({ name: id, keeper: { pid }, boot: bootId() }, force)
  }
  for (const { path, use } of ourCgroups())
    if (use === 'container' && basename(path) === id) await removeCgroup(path, use)
  const first = recordedProcess(id)
  if (first) await endProcess(first.pid, first.started)
  await discard(containerFolder(id))
  return id
}

/** Whether a ledger entry is the folder or a cgroup of a container: both contain its id, even after they were moved. */
const isOf = (entry: Entry, id: string) =>
  (entry.kind === 'folder' || entry.kind === 'cgroup') && basename(entry.path) === id

type Kept = Pick<State, 'name' | 'boot'> & { keeper: { pid: number; started?: number } }

/** Waits until the process that looks after a container has recorded its end and undone what was made for it. */
async function keeperDone({ name, keeper, boot }: Kept, force: boolean): Promise<void> {
  const pidfd = boot === bootId() ? findProcess(keeper.pid, keeper.started) : undefined
  if (pidfd === undefined) return
  using _ = closing(pidfd)
  // if the reader of its output does not read, that process ends at a signal: Connection.finish
  if (force && !(await ended(pidfd, OUTPUT_TIMEOUT))) {
    send(pidfd, 'SIGTERM')
    send(pidfd, 'SIGCONT') // stopped by a shell, it would not notice
  }
  if (await ended(pidfd, KEEPER_TIMEOUT)) return
  if (!force)
    throw new MinilabError(
      'usage',
      `${name} has ended, but process ${keeper.pid} is still passing on its output`,
      `read the output, or minilab rm -f ${name}`,
    )
  // its ledger lists what it made, and the next command undoes that
  warn(`process ${keeper.pid}, the keeper of ${name}, did not end: it is killed now`)
  send(pidfd, 'SIGKILL')
  await ended(pidfd)
}
