import { openFile } from '../common/descriptor.ts'
import { codeOf } from '../common/error-code.ts'
import { closeSync, type FSWatcher, readdirSync, watch } from 'node:fs'
import { join } from 'node:path'
import {
  AF_UNIX,
  F_SETFD,
  FD_CLOEXEC,
  MSG_NOSIGNAL,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
} from '../kernel/syscalls/constants.ts'
import { Subject } from '../kernel/process/handed.ts'
import { now } from '../kernel/syscalls/now.ts'
import { namespaceInode, startTime } from '../kernel/process/procfs.ts'
import type { LaunchEvent, StepListener } from './events.ts'
import type { FeedCall, FeedEvent } from './feed-event.ts'
import { lines, otherParts, type TapeLine } from './tape-lines.ts'

/** Where a viewer listens, in its own folder among those of the containers: <data>/containers/view-<hex>/feed.sock. */
export const VIEWER = /^view-[0-9a-f]+$/
export const SOCKET = 'feed.sock'

/** Limits per launch: number of calls, and characters of their arguments. A viewer has no room for more. */
const MOST_CALLS = 500
const MOST_ARGS = 1000

/** Bytes that we keep for a viewer that does not read; after that we drop it. */
const MOST_UNREAD = 2 ** 22

/**
 * The descriptor by which a trial in a sandbox reports to the process that started it, which informs the viewers: the sandbox
 * may not connect to them.
 */
export const RELAY = new Subject<number>('feed')

/** Must be called before we start anything that would inherit the relay. */
export function keepRelay(): void {
  if (RELAY.told !== undefined) now.fcntl(RELAY.told, F_SETFD, FD_CLOEXEC)
}

interface Viewer {
  fd: number
  /** what its socket has had no room for yet, and its size in bytes */
  rest: Buffer[]
  size: number
}

/**
 * Tells viewers what happens, and never waits for one: all descriptors are non-blocking, and a viewer that does not read is
 * dropped. A viewer that comes later, while a prompt waits or a container stays, gets everything from the beginning.
 */
export class Feed {
  readonly #folder: string
  readonly #told: Buffer[] = []
  /** by the names of their folders; undefined for a viewer that has ended or does not read */
  readonly #viewers = new Map<string, Viewer | undefined>()
  #watcher: FSWatcher | undefined

  constructor(dataFolder: string) {
    this.#folder = join(dataFolder, 'containers')
    if (RELAY.told !== undefined) this.#viewers.set('', { fd: RELAY.told, rest: [], size: 0 })
  }

  /** Sends viewers the events of a step that concern them. */
  readonly hear: StepListener = event => {
    switch (event.kind) {
      case 'step': {
        const { number, name, title } = event.step
        return this.tell({ kind: 'step', number, name, title, trial: event.trial })
      }
      case 'stage':
        return this.tell({ kind: 'stage', number: event.number, of: event.of, title: event.stage.title })
      case 'container':
        return this.#container(event.purpose, event.pid)
      case 'launch':
        return this.#launch(event)
      case 'check': {
        const { ok, evidence, limited = null, diagnosis = null } = event.finding
        const { claim } = event.check
        return this.tell({ kind: 'check', claim, ok, evidence, reason: diagnosis ?? limited })
      }
      case 'over':
        return this.tell({ kind: 'end', ok: event.ok })
    }
  }

  /** Sends an event to all viewers, including those that come later. */
  tell(event: FeedEvent): void {
    const line = Buffer.from(JSON.stringify(event) + '\n')
    for (const viewer of this.#viewers.values()) if (viewer) queue(viewer, line)
    this.#told.push(line)
    this.#look()
    this.#flush()
  }

  /** Reports a container that has just started, unless it has already ended. */
  #container(name: string, pid: number): void {
    const started = unlessRefused(() => startTime(pid))
    const pidNamespace = unlessRefused(() => namespaceInode('self', 'pid')) ?? 0
    if (started !== undefined) this.tell({ kind: 'container', name, pid, started, pidNamespace })
  }

  /** Reports the calls of a launch; summed up for parts that the step does not teach. */
  #launch({ purpose, tape, teaches, clone }: LaunchEvent): void {
    if (tape.length === 0) return // made by another runtime
    const all = [
      ...(clone ? [clone] : []),
      ...lines(tape, { elsewhere: teaches && otherParts(teaches) }),
    ].map(asTold)
    const calls = all.slice(0, MOST_CALLS)
    if (all.length > MOST_CALLS) calls.push({ summary: `… and ${all.length - MOST_CALLS} more` })
    this.tell({ kind: 'launch', purpose, calls })
  }

  /** Ends the stream, which tells viewers that nothing follows. */
  close(): void {
    this.#watcher?.close()
    this.#flush()
    for (const viewer of this.#viewers.values()) if (viewer && viewer.fd !== RELAY.told) closeSync(viewer.fd)
    this.#viewers.clear()
  }

  /** Looks for new viewers; costs one readdir if there are none. */
  #look(): void {
    if (RELAY.told !== undefined) return
    // without the folder there is no viewer; if it cannot be read, the step itself will report that
    const names = unlessRefused(() => readdirSync(this.#folder))
    if (!names) return
    this.#watcher ??= unlessRefused(() => this.#watch()) // without a watcher, a viewer is noticed at the next event
    for (const name of names.filter(name => VIEWER.test(name) && !this.#viewers.has(name))) {
      const viewer = this.#connect(join(this.#folder, name))
      if (viewer) this.#viewers.set(name, viewer)
    }
  }

  /** Notices new viewers by inotify(7), even while we wait for a key. */
  #watch(): FSWatcher {
    const watcher = watch(this.#folder, { persistent: false }, () => {
      this.#look()
      this.#flush()
    })
    return watcher.on('error', () => watcher.close()) // the folder has gone
  }

  #connect(folder: string): Viewer | undefined {
    // it does not listen yet (ENOENT) or no longer (ECONNREFUSED), too many others wait for it (EAGAIN), or we have too many
    // open files
    const fd = unlessRefused(() => connectTo(folder))
    if (fd === undefined) return undefined
    const viewer = { fd, rest: [], size: 0 }
    for (const line of this.#told) queue(viewer, line)
    return viewer
  }

  #flush(): void {
    for (const [name, viewer] of this.#viewers) {
      if (!viewer) continue
      try {
        write(viewer)
      } catch (error) {
        const code = codeOf(error)
        if (code === undefined) throw error
        // EAGAIN: it reads slowly, and gets the rest with the next event. EPIPE, ECONNRESET: it has ended
        if (code === 'EAGAIN' && viewer.size < MOST_UNREAD) continue
        if (viewer.fd !== RELAY.told) closeSync(viewer.fd)
        this.#viewers.set(name, undefined)
      }
    }
  }
}

function queue(viewer: Viewer, line: Buffer): void {
  viewer.rest.push(line)
  viewer.size += line.length
}

/** Writes as much as the socket has room for; then throws EAGAIN. */
function write(viewer: Viewer): void {
  for (let line = viewer.rest[0]; line; line = viewer.rest[0]) {
    // not write(2): with a viewer that has ended it would raise SIGPIPE, which would end the step
    const sent = now.sendto(viewer.fd, line, line.length, MSG_NOSIGNAL, null, 0)
    viewer.size -= sent
    if (sent < line.length) viewer.rest[0] = line.subarray(sent)
    else viewer.rest.shift()
  }
}

function asTold(line: TapeLine): FeedCall {
  if ('summary' in line) return line
  const { call, args, result, errno, ns } = line
  return { call, args: args.length > MOST_ARGS ? `${args.slice(0, MOST_ARGS)}…` : args, result, errno, ns }
}

/** A socket connected through the folder's descriptor: a path in a sockaddr_un has at most 108 bytes, unix(7). */
function connectTo(folder: string): number {
  using at = openFile(folder, 'r')
  const address = Buffer.from(`\0\0/proc/self/fd/${at.fd}/${SOCKET}\0`)
  address.writeUInt16LE(AF_UNIX)
  let fd: number | undefined
  try {
    fd = now.socket(AF_UNIX, SOCK_STREAM + SOCK_NONBLOCK + SOCK_CLOEXEC, 0)
    now.connect(fd, address, address.length)
    return fd
  } catch (error) {
    if (fd !== undefined) closeSync(fd)
    throw error
  }
}

/** The result, or undefined if the kernel refused: a problem with viewers must not stop a step. Throws any other error. */
function unlessRefused<T>(act: () => T): T | undefined {
  try {
    return act()
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return undefined
  }
}
