import { Socket } from 'node:net'
import { closing, type Descriptor } from '../common/descriptor.ts'
import { parseJson } from '../common/json.ts'
import { Feed, RELAY } from '../guide/feed.ts'
import { isFeedEvent } from '../guide/feed-event.ts'
import type { Told } from '../kernel/process/handed.ts'
import { SOCK_NONBLOCK } from '../kernel/syscalls/constants.ts'
import { socketPair } from '../kernel/process/pipe.ts'

/** What is taken of one trial, in characters: its code can tell things, too. */
const LIMITS = { line: 2 ** 20, all: 2 ** 24 }

/** Tells viewers what a trial in a sandbox tells us. */
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

  /** What the process in the sandbox has to inherit, and to be told. */
  get handed(): { told: Told; keep: number[] } {
    return { told: RELAY.tell(this.#theirs.fd), keep: [this.#theirs.fd] }
  }

  /** The process has started. */
  closeTheirs(): void {
    this.#theirs[Symbol.dispose]()
  }

  /** A trial begins. */
  begin(dataFolder: string): void {
    this.#feed = new Feed(dataFolder)
    this.#all = 0
    this.#rest = ''
  }

  /** It is over; resolves when viewers have heard what was told until now. */
  async end(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve)) // what has come is read before
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
