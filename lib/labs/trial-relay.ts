import { Socket } from 'node:net'
import { closing, type Descriptor } from '../common/descriptor.ts'
import { parseJson } from '../common/json.ts'
import { Feed, RELAY } from '../guide/feed.ts'
import { isFeedEvent } from '../guide/feed-event.ts'
import type { Told } from '../kernel/process/handed.ts'
import { SOCK_NONBLOCK } from '../kernel/syscalls/constants.ts'
import { socketPair } from '../kernel/process/pipe.ts'

/** How much we read from one trial, in characters: the learner's code can send events too. */
const LIMITS = { line: 2 ** 20, all: 2 ** 24 }

/** Passes on to viewers what a trial in a sandbox reports to us. */
export class TrialRelay {
  readonly #socket: Socket
  readonly #theirs: Descriptor
  #feed: Feed | undefined
  #all = 0
  #rest = ''

  constructor() {
    const [ours, theirs] = socketPair(SOCK_NONBLOCK)
    this.#theirs = closing(theirs)
    this.#socket = new Socket({ fd: ours })
    this.#socket.on('error', () => {}) // the sandbox has ended
    this.#socket.unref()
    this.#socket.setEncoding('utf8').on('data', (text: string) => this.#hear(text))
  }

  /** What the process in the sandbox must inherit, and be told. */
  get handed(): { told: Told; keep: number[] } {
    return { told: RELAY.tell(this.#theirs.fd), keep: [this.#theirs.fd] }
  }

  /** Call this when the process has started. */
  closeTheirs(): void {
    this.#theirs[Symbol.dispose]()
  }

  /** Call this when a trial begins. */
  begin(dataFolder: string): void {
    this.#feed = new Feed(dataFolder)
    this.#all = 0
    this.#rest = ''
  }

  /** Call this after a trial; resolves when viewers have everything that was reported so far. */
  async end(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve)) // read first what has already arrived
    this.#feed?.close()
    this.#feed = undefined
  }

  close(): void {
    this.#socket.destroy()
  }

  #hear(text: string): void {
    this.#all += text.length
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    const events = lines.map(line => parseJson(line, isFeedEvent))
    for (const event of events) if (event) this.#feed?.tell(event)
    if (this.#rest.length > LIMITS.line || this.#all > LIMITS.all) this.close()
  }
}
