import {
  closeSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { dataFolder } from '../image/data-folder.ts'
import { UsageError } from '../kernel/errors.ts'
import { findProcess } from '../kernel/signal.ts'
import { suggest } from '../kernel/suggest.ts'
import type { Spec } from './spec.ts'

/** What is remembered of a container that `minilab run` made: <data>/containers/<id>/state.json. */
export interface State {
  id: string
  name: string
  image: string
  command: string[]
  created: string
  ports: string[]
  address: string | null
  log: string | null
  /** its first process: pid and start time together are never reused */
  pid: number
  started: number
  /** the process of ours that looks after it, until it has noted how it ended */
  keeper: { pid: number; started: number }
  spec: Spec
  exit?: { status: number; at: string }
}

export function containerFolder(id: string): string {
  return join(dataFolder(), 'containers', id)
}

/** Writes the state at once or not at all: a new file, then rename(2). */
export function writeState(state: State): void {
  const folder = containerFolder(state.id)
  mkdirSync(folder, { recursive: true })
  const partial = join(folder, `state.json.${process.pid}`)
  writeFileSync(partial, JSON.stringify(state, null, 2))
  renameSync(partial, join(folder, 'state.json'))
}

/** All containers of `minilab run`, oldest first. */
export function states(): State[] {
  const folder = join(dataFolder(), 'containers')
  if (!existsSync(folder)) return []
  return readdirSync(folder)
    .flatMap(id => {
      const path = join(folder, id, 'state.json')
      return existsSync(path) ? [JSON.parse(readFileSync(path, 'utf8')) as State] : []
    })
    .sort((a, b) => a.created.localeCompare(b.created))
}

/** The container that a word means: a name, an id, or the beginning of one id. Throws a UsageError with what there is. */
export function findState(word: string): State {
  const all = states()
  const exact = all.find(state => state.name === word || state.id === word)
  if (exact) return exact
  const [first, ...more] = all.filter(state => state.id.startsWith(word))
  if (first && more.length === 0) return first
  if (first)
    throw new UsageError(
      `"${word}" begins the ids of ${more.length + 1} containers`,
      'give more of it, or the name',
    )
  const near = suggest(
    word,
    all.map(({ name }) => name),
  )
  throw new UsageError(
    `there is no container "${word}"`,
    near ? `did you mean ${near}?` : 'minilab ps -a shows what there is',
  )
}

/** A pidfd for the container's first process, which the caller closes; undefined where it has ended. */
export function running({ pid, started }: State): number | undefined {
  return findProcess(pid, started)
}

export function isRunning(state: State): boolean {
  const pidfd = running(state)
  if (pidfd === undefined) return false
  closeSync(pidfd)
  return true
}
