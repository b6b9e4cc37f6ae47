import { basename } from 'node:path'
import { ledgers, ownerLives } from '../container/ledger/ledger.ts'
import { findState, isRunning, states } from '../container/state/state.ts'
import type { State } from '../container/state/state-shape.ts'
import { dataFolder } from '../image/data-folder.ts'
import { MinilabError } from '../common/errors.ts'
import {
  children,
  ifReadable,
  namespaceInode,
  NAMESPACES,
  processExists,
  startTime,
  status,
  nulSeparated,
} from '../kernel/process/procfs.ts'

/** Something to look at: its first process, its name, and the word that selects it. */
export interface Target {
  pid: number
  name: string
  word: string
}

/**
 * What a word selects: a container by its name, its id or the beginning of that; or else any process by its pid. Throws a
 * MinilabError (usage) if there is none, or it does not run.
 */
export function findTarget(word: string): Target {
  const meant = states().some(({ name, id }) => name === word || (word !== '' && id.startsWith(word)))
  if (meant || !/^[1-9]\d*$/.test(word)) return ofState(findState(word))
  const pid = Number(word)
  if (!processExists(pid))
    throw new MinilabError(
      'usage',
      `there is no container and no process "${word}"`,
      'minilab ps shows the containers',
    )
  return { pid, name: status(pid).Name ?? word, word }
}

function ofState(state: State): Target {
  if (!isRunning(state))
    throw new MinilabError(
      'usage',
      `${state.name} is not running`,
      'minilab ps lists those that are, minilab ps -a lists all',
    )
  return { pid: state.pid, name: state.name, word: state.name }
}

/** Everything that runs now, oldest first: containers of `minilab run`, and of steps that wait with --keep. */
export function targets(): Target[] {
  const ours = states().filter(isRunning).map(ofState)
  const known = new Set(ours.map(({ pid }) => pid))
  return [...ours, ...kept().filter(({ pid }) => !known.has(pid))]
    .flatMap(target => ifReadable(() => [{ target, started: startTime(target.pid) }]) ?? [])
    .sort((a, b) => a.started - b.started)
    .map(({ target }) => target)
}

/** The containers of running commands. Such a command has locked a ledger; its children with their own namespaces are containers. */
function kept(): Target[] {
  const owners = ledgers(dataFolder())
    .filter(ownerLives)
    .map(path => parseInt(basename(path)))
  return [...new Set(owners)].flatMap(owner =>
    children(owner)
      .filter(child => ifReadable(() => isApart(child, owner)))
      .map(pid => ({ pid, name: nameOf(owner), word: String(pid) })),
  )
}

const isApart = (pid: number, parent: number) =>
  NAMESPACES.some(kind => namespaceInode(pid, kind) !== namespaceInode(parent, kind))

/** The command of a minilab process: `step 3`. */
function nameOf(pid: number): string {
  const [command = 'minilab', about = ''] =
    ifReadable(() => nulSeparated(`/proc/${pid}/cmdline`).slice(2)) ?? []
  return `${command} ${about}`.trim()
}
