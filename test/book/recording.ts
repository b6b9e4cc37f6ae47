import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { hierarchyOf } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { CLOSE_RANGE_CLOEXEC } from '../../lib/kernel/syscalls/constants.ts'
import { now } from '../../lib/kernel/syscalls/now.ts'
import { BookError } from './problem.ts'

/** What a command line printed, stdout and stderr as a terminal would show them, and its exit status. */
export interface Recording {
  output: string
  status: number
}

const SCRIPT = join(import.meta.dirname, 'record.sh')
const RECORDING_LIMIT = 120
/** timeout(1): the status where the limit was reached */
const TIMED_OUT = 124
const AT_ONCE = 2
const LAST_FD = 0xffffffff

/** Why no recordings can be made here; undefined where they can. */
export const cannotRecord =
  process.geteuid?.() !== 0
    ? 'recordings are made as root'
    : hierarchyOf('memory')?.version !== 1
      ? 'the recordings show cgroup v1, and memory is not on v1 here'
      : undefined
export const canRecord = cannotRecord === undefined

/** Runs record.sh: with the checkout, the seconds that the command may take, and the command. */
export type RunScript = (args: [checkout: string, seconds: string, command: string]) => Promise<Recording>

interface RecorderOptions {
  /** how long a command may take */
  seconds?: number
  /** on another machine than this */
  run?: RunScript
  /** how many commands may run at the same time */
  atOnce?: number
  /** the version of cgroups whose pages it can record; undefined: none */
  cgroup?: 1 | 2 | undefined
}

/** Makes recordings of one checkout; each command line once, however often it is asked for. */
export class Recorder {
  readonly cgroup: 1 | 2 | undefined
  readonly #checkout: string
  readonly #seconds: number
  readonly #run: RunScript
  readonly #atOnce: number
  readonly #made = new Map<string, Promise<Recording>>()
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(checkout: string, options: RecorderOptions = {}) {
    const {
      seconds = RECORDING_LIMIT,
      run = runHere,
      atOnce = AT_ONCE,
      cgroup = canRecord ? 1 : undefined,
    } = options
    this.cgroup = cgroup
    this.#checkout = checkout
    this.#seconds = seconds
    this.#run = run
    this.#atOnce = atOnce
  }

  /** Rejects with a BookError where the command does not end in time. */
  make(command: string): Promise<Recording> {
    const made = this.#made.get(command) ?? this.makeAgain(command)
    this.#made.set(command, made)
    return made
  }

  /** The same again, to see whether it prints the same. */
  async makeAgain(command: string): Promise<Recording> {
    if (this.#running === this.#atOnce) await new Promise<void>(resolve => this.#waiting.push(resolve))
    else this.#running++
    try {
      return await this.#record(command)
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }

  async #record(command: string): Promise<Recording> {
    const recording = await this.#run([this.#checkout, `${this.#seconds}`, command])
    if (recording.status === TIMED_OUT)
      throw new BookError(
        `${command} did not end in ${this.#seconds} s`,
        'record a command that ends by itself, with nothing on its stdin',
      )
    return recording
  }
}

/** In the book's sandbox, which leaves nothing behind: see record.sh and machine.sh. */
const runHere: RunScript = async args => {
  // what whoever started us has left open would be in the containers, too, where a step lets it through
  now.close_range(3, LAST_FD, CLOSE_RANGE_CLOEXEC)
  const child = spawn('sh', [SCRIPT, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true, // Ctrl-C is for us: it tidies up
  })
  const ended = once(child, 'exit') as Promise<[number]>
  const [output, [status]] = await Promise.all([text(child.stdout), ended])
  return { output, status }
}
