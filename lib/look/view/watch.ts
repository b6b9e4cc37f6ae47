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

/** Milliseconds between two looks. No event reports that a number in /proc or in a cgroup has changed, so we must poll. */
const PAUSE = 200

/** How many containers of steps are drawn. No step has as many, but a learner's code may report more. */
const MOST_TOLD = 24

/** A container that exists now. */
export interface Seen {
  /** pid and start time of its first process, which are never reused together */
  id: string
  name: string
  /** the step that started it; null for `minilab run` */
  teller: Teller | null
  /** its snapshot, or the error if the kernel refused us */
  found: Snapshot | NodeJS.ErrnoException
}

interface Known {
  pid: number
  started: number
  name: string
  teller: Teller | null
}

/** Looks at all containers a few times a second, but only while a page is open. */
export class Watch {
  readonly #told = new Map<string, Known>()
  readonly #show: (seen: Seen[]) => void
  readonly #failed: (error: unknown) => void
  #watched = false
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> | undefined
  /** whether a look was requested during another one */
  #due = false
  /** when the last look ended */
  #looked = -Infinity

  /** `failed` gets bugs of ours. */
  constructor(show: (seen: Seen[]) => void, failed: (error: unknown) => void) {
    this.#show = show
    this.#failed = failed
  }

  /** Adds a container that a step has started; ignored if it has ended or never existed. */
  told(teller: Teller, named: ContainerEvent): void {
    const { name, started } = named
    for (const [id, known] of this.#told) if (!isAlive(known.pid, known.started)) this.#told.delete(id)
    const pid = this.#told.size < MOST_TOLD ? find(named) : undefined
    if (pid === undefined) return
    this.#told.set(idOf(pid, started), { pid, started, name, teller })
    this.#hurry()
  }

  /** Looks at once, because a step has reached another stage, or its end. */
  turned(): void {
    if (performance.now() - this.#looked > PAUSE / 4) this.#hurry()
  }

  /** Whether a page is open. */
  set watched(watched: boolean) {
    this.#watched = watched
    if (watched) this.#hurry()
    else clearTimeout(this.#timer)
  }

  /** Resolves when no look is in progress. */
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
      // its pid may have been reused
      if (found && (found instanceof Error || idOf(found.pid, found.started) === id))
        seen.push({ id, name, teller, found })
      else this.#told.delete(id)
    }
    if (!this.#watched) return
    this.#show(seen)
    const { user, system } = process.cpuUsage(before)
    // so that looking takes at most a quarter of one CPU, however many containers there are
    this.#timer = setTimeout(() => this.#hurry(), Math.max(PAUSE, (3 * (user + system)) / 1000))
  }

  /** The containers of `minilab run` from their state, then those of steps. */
  #known(): Map<string, Known> {
    const running = states()
      .filter(isRunning)
      .map(({ pid, started, name }) => [idOf(pid, started), { pid, started, name, teller: null }] as const)
    return new Map([...running, ...this.#told])
  }
}

/** The error if the kernel refused us, which it may not do at the next look. Throws any other error. */
function refusal(error: NodeJS.ErrnoException): NodeJS.ErrnoException {
  if (error.code === undefined) throw error
  return error
}

const idOf = (pid: number, started: number) => `${pid}-${started}`

/**
 * The container's first process, by our pid. For an event from another pid namespace: the process with that start time, that
 * pid there, and an ancestor in that namespace.
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
