import { isRunning, states } from '../../container/state/state.ts'
import type { ContainerEvent } from '../../guide/feed-event.ts'
import {
  ifReadable,
  isAlive,
  namespaceInode,
  nsPids,
  pids,
  startTime,
  status,
} from '../../kernel/process/procfs.ts'
import { snapshot } from '../snapshot.ts'
import type { Snapshot } from '../snapshot-shape.ts'
import type { Teller } from './hear.ts'

/** Between two looks, in milliseconds. No event tells that a number in /proc or in a cgroup has changed: one must look. */
const PAUSE = 200

/** So many containers of steps are drawn: no step has as many, but a learner's code may say so. */
const MOST_TOLD = 24

/** A container that is there now. */
export interface Seen {
  /** pid and start time of its first process: a name that is never reused */
  id: string
  name: string
  /** the step that has started it; null where that was `minilab run` */
  teller: Teller | null
  /** what it looks like, or what the kernel refused when we looked */
  found: Snapshot | NodeJS.ErrnoException
}

interface Known {
  pid: number
  started: number
  name: string
  teller: Teller | null
}

/** Which containers there are, and what they look like, a few times a second, but only while a viewer watches. */
export class Watch {
  readonly #told = new Map<string, Known>()
  readonly #show: (seen: Seen[]) => void
  readonly #failed: (error: unknown) => void
  #watched = false
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  /** something was told meanwhile */
  #due = false
  /** when the last look was over */
  #looked = -Infinity

  /** `failed` hears of a defect of ours. */
  constructor(show: (seen: Seen[]) => void, failed: (error: unknown) => void) {
    this.#show = show
    this.#failed = failed
  }

  /** A container that a step has started. One that has ended by now, or never was, is not heard of again. */
  told(teller: Teller, named: ContainerEvent): void {
    const { name, started } = named
    for (const [id, known] of this.#told) if (!isAlive(known.pid, known.started)) this.#told.delete(id)
    const pid = this.#told.size < MOST_TOLD ? find(named) : undefined
    if (pid === undefined) return
    this.#told.set(idOf(pid, started), { pid, started, name, teller })
    this.#hurry()
  }

  /** A step has come to another stage, or to its end: how is it now? */
  turned(): void {
    if (performance.now() - this.#looked > PAUSE / 4) this.#hurry()
  }

  /** A viewer has come, or none is left. */
  set watched(watched: boolean) {
    this.#watched = watched
    if (watched) this.#hurry()
    else clearTimeout(this.#timer)
  }

  /** Resolves when no look is under way any more. */
  async end(): Promise<void> {
    this.watched = false
    await this.#looking
  }

  #hurry(): void {
    this.#due = true
    if (!this.#watched || this.#looking) return
    clearTimeout(this.#timer)
    this.#due = false
    this.#looking = this.#look()
      .catch(this.#failed)
      .finally(() => {
        this.#looking = undefined
        this.#looked = performance.now()
        if (this.#due) this.#hurry()
      })
  }

  async #look(): Promise<void> {
    const before = process.cpuUsage()
    const seen: Seen[] = []
    for (const [id, { pid, name, teller }] of this.#known()) {
      const found = await snapshot(pid, name).catch(refusal)
      // its pid may be another's by now
      if (found && (found instanceof Error || idOf(found.pid, found.started) === id))
        seen.push({ id, name, teller, found })
      else this.#told.delete(id)
    }
    if (!this.#watched) return
    this.#show(seen)
    const { user, system } = process.cpuUsage(before)
    // of one processor never more than a quarter, however many they are
    this.#timer = setTimeout(() => this.#hurry(), Math.max(PAUSE, (3 * (user + system)) / 1000))
  }

  /** Those of `minilab run` by their state, then those of steps. */
  #known(): Map<string, Known> {
    const running = states()
      .filter(isRunning)
      .map(({ pid, started, name }) => [idOf(pid, started), { pid, started, name, teller: null }] as const)
    return new Map([...running, ...this.#told])
  }
}

/** What the kernel refused may be granted at the next look; any other error is a defect. */
function refusal(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  if (error.code === undefined) throw error
  return error
}

const idOf = (pid: number, started: number) => `${pid}-${started}`

/**
 * The container's first process as we number it. From another pid namespace it is known by its start time, by its number
 * there, and by an ancestor that is in that namespace.
 */
function find({ pid, started, pidNamespace }: ContainerEvent): number | undefined {
  if (pidNamespace === namespaceInode('self', 'pid')) return isAlive(pid, started) ? pid : undefined
  return pids().find(
    other =>
      ifReadable(() => startTime(other) === started && nsPids(other).includes(pid)) &&
      isBelow(other, pidNamespace),
  )
}

function isBelow(pid: number, namespace: number): boolean {
  if (pid === 0) return false
  const is = ifReadable(() => namespaceInode(pid, 'pid') === namespace)
  return is || isBelow(ifReadable(() => Number(status(pid).PPid)) ?? 0, namespace)
}
