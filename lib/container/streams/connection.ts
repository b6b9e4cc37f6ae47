import { closeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { constants } from 'node:os'
import type { Child, Exit } from '../../kernel/process/child.ts'
import { Interrupted } from '../../common/errors.ts'
import { hearSignals } from '../../kernel/process/hear-signals.ts'
import { isStopped } from '../../kernel/process/procfs.ts'
import { type Pumped, pump } from './pump.ts'
import { type Stdio, Streams } from './streams.ts'

/** How long a program may take to end when its terminal is closed: as `docker stop` gives it. */
const GRACE = 10_000 // ms
const INTERRUPTS = 3
/** How long its output may take to be read after the last of them: ms. */
const PATIENCE = 1000
const { SIGHUP, SIGINT, SIGTERM, SIGWINCH } = constants.signals
const ENDING = new Set<number>([SIGHUP, SIGINT, SIGTERM])

export interface ConnectionOptions {
  interactive: boolean
  terminal: boolean
  /** stdout and stderr are a log file of ours: see Streams */
  log?: boolean
}

/** Both ends of a container's terminal. Taken over. */
export interface Terminal {
  master: number
  slave: number
}

/**
 * What connects a program with whoever started it: the standard streams, or a terminal; and the signals that we are sent,
 * from before its first instruction on.
 */
export class Connection implements Disposable {
  readonly stdio: Stdio
  readonly #interactive: boolean
  readonly #streams: Streams | undefined
  readonly #signals: Disposable
  readonly #early: number[] = []
  readonly #onTerminal = [0, 1, 2].some(fd => isatty(fd))
  #child: Child | undefined
  #pumped: Pumped | undefined
  #deadline: NodeJS.Timeout | undefined
  #interrupts = 0
  #hasEnded = false
  readonly #interrupted = Promise.withResolvers<number>()
  /** is told of a signal that wants us to end while there is no program yet to which it could be passed on */
  beforeStart: (signal: number) => void = () => {}

  constructor({ interactive, terminal, log }: ConnectionOptions) {
    this.#interactive = interactive
    this.#streams = terminal ? undefined : new Streams({ interactive, log })
    this.stdio = this.#streams?.stdio ?? ['null', 'null', 'null']
    this.#signals = hearSignals(signal => this.#hear(signal))
  }

  /** Whether its program has started. */
  get isAttending(): boolean {
    return this.#child !== undefined
  }

  /** Waits for the end of a program that has just started. */
  async attend(child: Child, terminal?: Terminal): Promise<Exit> {
    this.#child = child
    this.#streams?.start()
    if (terminal) this.#pumped = pump(terminal.master, this.#interactive)
    for (const signal of this.#early.splice(0)) this.#hear(signal)
    try {
      return await child.exit
    } finally {
      this.#hasEnded = true
      // open until now: where a program closes its own, it can be opened again, and the terminal has not come to its end
      if (terminal) closeSync(terminal.slave)
      this.#pumped?.programEnded()
    }
  }

  /**
   * Waits until all that the program has written is where it should be. Throws a MinilabError (machine) where that was refused, and
   * Interrupted at a signal: a reader that does not read keeps us no longer.
   */
  async finish(): Promise<void> {
    const signal = await Promise.race([
      this.#interrupted.promise,
      this.#pumped?.done ?? this.#streams?.finish(),
    ])
    if (signal !== undefined) throw new Interrupted(signal)
  }

  #hear(signal: number): void {
    if (this.#hasEnded) return void (ENDING.has(signal) && this.#interrupted.resolve(signal))
    if (!this.#child) {
      this.#early.push(signal)
      return void (ENDING.has(signal) && this.beforeStart(signal))
    }
    if (signal === SIGWINCH && this.#pumped) return // our size: the kernel tells who uses the container's terminal
    this.#child.kill(signal)
    // the first process of a pid namespace ignores what it does not handle: who presses Ctrl-C three times wants it to end, as docker
    if (signal === SIGINT && ++this.#interrupts === INTERRUPTS) {
      this.#child.kill('SIGKILL')
      setTimeout(() => this.#interrupted.resolve(SIGINT), PATIENCE).unref() // it may be that nobody reads
    }
    // one that is stopped hears it only when it goes on; to others SIGCONT would say what never happened
    if (ENDING.has(signal) && isStopped(this.#child.pid)) this.#child.kill('SIGCONT')
    // our terminal has gone, and nobody reaches the container any more; pid_namespaces(7): its first process may ignore SIGHUP
    if (signal === SIGHUP && this.#onTerminal)
      this.#deadline ??= setTimeout(() => this.#child?.kill('SIGKILL'), GRACE)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#deadline)
    this.#pumped?.end()
    this.#streams?.close()
    this.#signals[Symbol.dispose]()
  }
}
