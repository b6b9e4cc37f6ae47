import { existsSync, lstatSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { dataFolder, makeDir, realPath } from '../../image/data-folder.ts'
import { codeOf } from '../../common/error-code.ts'
import { isFull } from '../../image/error.ts'
import { MinilabError } from '../../common/errors.ts'
import { readJson } from '../../common/json.ts'
import { replaceFile } from '../../common/replace-file.ts'
import { bootId, ifReadable, isAlive, isGone } from '../../kernel/process/procfs.ts'
import { findProcess } from '../../kernel/process/signal.ts'
import { hint } from '../../common/suggest.ts'
import { isProcess, isState, type State } from './state-shape.ts'

export function containerFolder(id: string): string {
  return join(dataFolder(), 'containers', id)
}

/** Room behind the first text for what is known at the container's end, when the disk may be full. */
const SPARE = 256 // bytes

const stateFile = (id: string) => join(containerFolder(id), 'state.json')
const partialFile = (id: string) => join(containerFolder(id), 'state.json.new')

/**
 * Writes the state of a container that is about to start: nobody takes it for one that runs until `commitState` is called. Not by
 * `replaceFile`: between the two the container starts.
 */
export function prepareState(state: State): void {
  makeDir(containerFolder(state.id))
  writeFileSync(partialFile(state.id), JSON.stringify(state, null, 2) + ' '.repeat(SPARE))
}

/** The program runs: rename(2), which needs no room on the disk. */
export function commitState(id: string): void {
  renameSync(partialFile(id), stateFile(id))
}

/**
 * Writes another state, at once or not at all. Where there is no room for a new file any more, it is written over the old one,
 * which had some to spare.
 */
export function writeState(state: State): void {
  const text = JSON.stringify(state, null, 2)
  const path = stateFile(state.id)
  try {
    replaceFile(path, text, { partial: partialFile(state.id), sync: false }) // no container outlives a loss of power
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

/** The ids of containers whose state.json is damaged: we do not know any more what they are, nor whether they run. */
export function damagedIds(): string[] {
  return ids().filter(id => readState(id) === false)
}

function ids(): string[] {
  const folder = join(dataFolder(), 'containers')
  if (!existsSync(folder)) return []
  return readdirSync(folder).filter(id => existsSync(join(folder, id, 'state.json')))
}

/** What is recorded of a container's first process, also where the rest of its state is damaged. */
export function recordedProcess(id: string): Pick<State, 'pid' | 'started'> | undefined {
  const state = ifReadable(() => readJson(stateFile(id), isProcess))
  return typeof state === 'object' && state.id === id && state.boot === bootId() ? state : undefined
}

/** The state of a container; false where its file makes no sense, undefined where it has gone meanwhile. */
function readState(id: string): State | false | undefined {
  try {
    const state = readJson(stateFile(id), isState)
    // whose folder and log are removed, and whose process is killed, must not be another's
    if (typeof state !== 'object' || state.id !== id) return false
    const log = ownLog(state.log)
    return log !== undefined && { ...state, log }
  } catch (error) {
    if (isGone(error)) return undefined
    if (codeOf(error) === 'EACCES') return false
    throw error
  }
}

/**
 * Where a container's log is: in our data folder, under whichever name it was known when the container began, or where it was
 * before it was moved. Undefined where it is another's, as in a copy of a data folder.
 */
function ownLog(log: string | null): string | null | undefined {
  if (log === null) return null
  const own = join(dataFolder(), 'logs', basename(log))
  if (dirname(own) !== join(dataFolder(), 'logs')) return undefined // it was `..`
  if (realPath(log) === own) return own
  return !existsSync(log) && lstatSync(own, { throwIfNoEntry: false })?.isFile() ? own : undefined
}

/** The container that a word means: a name, an id, or the beginning of one id. Throws a usage error with what there is. */
export function findState(word: string): State {
  const all = states()
  const exact = all.find(state => state.name === word || state.id === word)
  if (exact) return exact
  const [first, ...more] = word === '' ? [] : all.filter(state => state.id.startsWith(word))
  if (first && more.length === 0) return first
  if (first)
    throw new MinilabError(
      'usage',
      `"${word}" begins the ids of ${more.length + 1} containers`,
      'give more of it, or the name',
    )
  if (damagedIds().includes(word))
    throw new MinilabError('usage', `the state of ${word} is damaged`, `minilab rm -f ${word} removes it`)
  const names = all.map(({ name }) => name)
  throw new MinilabError(
    'usage',
    `there is no container "${word}"`,
    hint(word, names, 'minilab ps -a shows what there is'),
  )
}

/** A pidfd for the container's first process, which the caller closes; undefined where it has ended. */
export function running({ pid, started, boot }: State): number | undefined {
  return boot === bootId() ? findProcess(pid, started) : undefined
}

export function isRunning(state: State): boolean {
  return state.boot === bootId() && isAlive(state.pid, state.started)
}
