import { existsSync, lstatSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { dataFolder, makeDir, realPath } from '../../image/data-folder.ts'
import { codeOf } from '../../common/error-code.ts'
import { isFull } from '../../image/error.ts'
import { MinilabError } from '../../common/errors.ts'
import { readJson } from '../../common/json.ts'
import { replaceFile } from '../../common/replace-file.ts'
import { readExit } from './exit-record.ts'
import { shellStatus } from '../../kernel/process/child.ts'
import { bootId, ifReadable, isAlive, isGone, unlessGone } from '../../kernel/process/procfs.ts'
import { findProcess } from '../../kernel/process/signal.ts'
import { hint } from '../../common/suggest.ts'
import { isProcess, isState, type State } from './state-shape.ts'

export function containerFolder(id: string): string {
  return join(dataFolder(), 'containers', id)
}

/** Spare room after the first text, for what is known when the container ends, as the disk may be full then. */
const SPARE = 256 // bytes

/** Where a monitor writes how the container ended. */
export const exitFile = (id: string) => join(containerFolder(id), 'exit')

const stateFile = (id: string) => join(containerFolder(id), 'state.json')
const partialFile = (id: string) => join(containerFolder(id), 'state.json.new')

/**
 * Writes the state of a container that is about to start: it does not count as running until `commitState` is called. Not with
 * `replaceFile`, because the container starts between the two steps.
 */
export function prepareState(state: State): void {
  makeDir(containerFolder(state.id))
  writeFileSync(partialFile(state.id), JSON.stringify(state, null, 2) + ' '.repeat(SPARE))
}

/** The program runs: rename(2), which needs no space on the disk. */
export function commitState(id: string): void {
  renameSync(partialFile(id), stateFile(id))
}

/**
 * Writes a new state completely or not at all. If there is no space for a new file, it overwrites the old one, which
 * has some spare room.
 */
export function writeState(state: State): void {
  const text = JSON.stringify(state, null, 2)
  const path = stateFile(state.id)
  try {
    replaceFile(path, text, { partial: partialFile(state.id), sync: false }) // no container survives a loss of power
  } catch (error) {
    const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
    if (!isFull(error) || size < Buffer.byteLength(text)) throw error
    writeFileSync(path, text.padEnd(text.length + size - Buffer.byteLength(text)), { flag: 'r+' })
  }
}

/** All containers of `minilab run` whose state can be read, oldest first. */
export function states(): State[] {
  return ids()
    .flatMap(id => readState(id) || [])
    .sort((a, b) => a.created.localeCompare(b.created))
}

/** The ids of containers whose state.json is damaged: we do not know what they are, or whether they run. */
export function damagedIds(): string[] {
  return ids().filter(id => readState(id) === false)
}

function ids(): string[] {
  const folder = join(dataFolder(), 'containers')
  if (!existsSync(folder)) return []
  return readdirSync(folder).filter(id => existsSync(join(folder, id, 'state.json')))
}

/** What is recorded about a container's first process, even if the rest of its state is damaged. */
export function recordedProcess(id: string): Pick<State, 'pid' | 'started'> | undefined {
  const state = ifReadable(() => readJson(stateFile(id), isProcess))
  return typeof state === 'object' && state.id === id && state.boot === bootId() ? state : undefined
}

/** The state of a container; false if its file is damaged, undefined if it has been removed. */
function readState(id: string): State | false | undefined {
  try {
    const state = readJson(stateFile(id), isState)
    // we remove folder and log and kill the process: they must not belong to another container
    if (typeof state !== 'object' || state.id !== id) return false
    const log = ownLog(state.log)
    return log !== undefined && { ...state, ...exitOf(state), log }
  } catch (error) {
    if (isGone(error)) return undefined
    if (codeOf(error) === 'EACCES') return false
    throw error
  }
}

/** How it ended, if only its monitor has recorded that: the process that should have written it here was killed. */
function exitOf({ id, exit }: State): Pick<State, 'exit'> | undefined {
  if (exit) return undefined
  const record = unlessGone(() => readExit(exitFile(id)))
  return record && { exit: { status: shellStatus(record.exit), at: record.at.toISOString() } }
}

/**
 * Where a container's log is: in our data folder, by whichever name the folder had when the container started, or where it was
 * before it was moved. Undefined if the log belongs to another data folder, as in a copy of a data folder.
 */
function ownLog(log: string | null): string | null | undefined {
  if (log === null) return null
  const own = join(dataFolder(), 'logs', basename(log))
  if (dirname(own) !== join(dataFolder(), 'logs')) return undefined // the name was `..`
  if (realPath(log) === own) return own
  return !existsSync(log) && lstatSync(own, { throwIfNoEntry: false })?.isFile() ? own : undefined
}

/** The container that a word means: a name, an id, or the beginning of a single id. Throws a usage error that lists what exists. */
export function findState(word: string): State {
  const all = states()
  const exact = all.find(state => state.name === word || state.id === word)
  if (exact) return exact
  const [first, ...more] = word === '' ? [] : all.filter(state => state.id.startsWith(word))
  if (first && more.length === 0) return first
  if (first)
    throw new MinilabError(
      'usage',
      `${more.length + 1} containers have an id that begins with "${word}"`,
      'give more of the id, or the name',
    )
  if (damagedIds().includes(word))
    throw new MinilabError('usage', `the state of ${word} is damaged`, `minilab rm -f ${word} removes it`)
  const names = all.map(({ name }) => name)
  throw new MinilabError(
    'usage',
    `there is no container "${word}"`,
    hint(word, names, 'minilab ps -a lists them all'),
  )
}

/** A pidfd for the container's first process, which the caller closes; undefined if it has ended. */
export function running({ pid, started, boot }: State): number | undefined {
  return boot === bootId() ? findProcess(pid, started) : undefined
}

export function isRunning(state: State): boolean {
  return state.boot === bootId() && isAlive(state.pid, state.started)
}
