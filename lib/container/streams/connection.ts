import { closeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { constants } from 'node:os'
import { type Attended, type Exit, heldByTracer } from '../../kernel/process/child.ts'
import { Interrupted } from '../../common/errors.ts'
import { hearSignals } from '../../kernel/process/hear-signals.ts'
import { isSpared, isStopped } from '../../kernel/process/procfs.ts'
import { endProcess } from '../../kernel/process/signal.ts'
import { type Pumped, pump } from './pump.ts'
import { type Stdio, Streams } from './streams.ts'

/** How long a program may take to end after its terminal is closed: the same as with `docker stop`. */
const GRACE = 10_000 // ms
/** How long a program may take to start after a signal that should end us: ms. */
const START = 1000
const INTERRUPTS = 3
/** How long reading the rest of its output may take after the last of these interrupts: ms. */
const OUTPUT_LIMIT = 1000
const { SIGHUP, SIGINT, SIGTERM, SIGWINCH } = constants.signals
const ENDING = new Set<number>([SIGHUP, SIGINT, SIGTERM])

export interface ConnectionOptions {
  interactive: boolean
  terminal: boolean
  /** whether the program also gets the signals that our caller ignores, as with docker's client; not SIGHUP. `exec`: no. */
  passesIgnored?: boolean
}

/** Both ends of a container's terminal. The connection closes them. */
export interface Terminal {
  master: number
  slave: number
}

/**
 * Connects a program with the process that started it: the standard streams, or a terminal; and the signals sent to us,
 * from before the program's first instruction.
 */
export class Connection implements Disposable {
  readonly stdio: Stdio
  readonly #interactive: boolean
  readonly #streams: Streams | undefined
  readonly #signals: Disposable
  readonly #early: number[] = []
  readonly #onTerminal = [0, 1, 2].some(fd => isatty(fd))
  #child: Attended | undefined
  #pumped: Pumped | undefined
  #deadline: NodeJS.Timeout | undefined
  #interrupts = 0
  #hasEnded = false
  readonly #heldByTracer = Promise.withResolvers<Exit>()
  readonly #interrupted = Promise.withResolvers<number>()
  /** the process that will become the program, if it has been made */
  starting: () => number = () => 0
  /** the signal for which we killed that process, because it did not become a program */
  gaveUpAt: number | undefined

  constructor({ interactive, terminal, passesIgnored = true }: ConnectionOptions) {
    this.#interactive = interactive
    this.#streams = terminal
      ? undefined
      : new Streams({ interactive, unread: () => this.#endUnread('SIGPIPE') })
    this.stdio = this.#streams?.stdio ?? ['null', 'null', 'null']
    this.#signals = hearSignals(signal => this.#hear(signal), passesIgnored)
  }

  /** Waits for the end of a program that has just started. */
  async attend(child: Attended, terminal?: Terminal): Promise<Exit> {
    this.#child = child
    this.#streams?.start()
    if (terminal) this.#pumped = pump(terminal.master, this.#interactive, () => this.#endUnread('SIGHUP'))
    for (const signal of this.#early.splice(0)) this.#hear(signal)
    try {
      const exit = await Promise.race([child.exit, this.#heldByTracer.promise])
      return this.#unreadBy && exit.signal === 'SIGKILL' ? { status: null, signal: this.#unreadBy } : exit
    } finally {
      this.#hasEnded = true
      // kept open until now: if a program closes its own, it can reopen it, and the terminal has not reached its end
      if (terminal) closeSync(terminal.slave)
      this.#pumped?.programEnded()
    }
  }

  /**
   * Waits until all output of the program has been delivered. Throws a MinilabError (machine) if that was refused, and
   * Interrupted at a signal: a reader that does not read cannot hold us up any longer.
   */
  async finish(): Promise<void> {
    const signal = await Promise.race([
      this.#interrupted.promise,
      this.#pumped?.done ?? this.#streams?.finish(),
    ])
    if (signal !== undefined) throw new Interrupted(signal)
  }

  /**
   * The program has written, and its output has no reader any more. Such a signal ends every other program, so also `run | head -1`;
   * of the first process of a pid namespace the kernel keeps it away, and it could write for ever.
   */
  #endUnread(signal: 'SIGPIPE' | 'SIGHUP'): void {
    if (!this.#child || !isSpared(this.#child.pid, signal)) return
    this.#unreadBy = signal
    this.#child.kill('SIGKILL')
  }
  #unreadBy: 'SIGPIPE' | 'SIGHUP' | undefined

  #hear(signal: number): void {
    if (this.#hasEnded) return void (ENDING.has(signal) && this.#interrupted.resolve(signal))
    if (!this.#child) {
      this.#early.push(signal)
      if (ENDING.has(signal)) setTimeout(() => void this.#giveUp(signal), START).unref()
      return
    }
    if (signal === SIGWINCH && this.#pumped) return // our window size changed: the kernel tells the processes on the container's terminal
    // it has ended, but a tracer in the container does not let us reap it: then no SIGCHLD comes, and we do not wait for it
    const held = ENDING.has(signal) ? heldByTracer(this.#child) : undefined
    if (held) return this.#heldByTracer.resolve(held)
    this.#child.kill(signal)
    // the first process of a pid namespace ignores signals that it does not handle: after three Ctrl-C we end it, as docker
    if (signal === SIGINT && ++this.#interrupts === INTERRUPTS) {
      this.#child.kill('SIGKILL')
      setTimeout(() => this.#giveUpOutput(), OUTPUT_LIMIT).unref() // its output may have no reader
    }
    // a stopped process gets the signal only when it continues; for a running one SIGCONT would report what never happened
    if (ENDING.has(signal) && isStopped(this.#child.pid)) this.#child.kill('SIGCONT')
    // our terminal has gone, so the container cannot be reached; pid_namespaces(7): its first process may ignore SIGHUP
    if (signal === SIGHUP && this.#onTerminal)
      this.#deadline ??= setTimeout(() => this.#child?.kill('SIGKILL'), GRACE)
  }

  /** Long after the program was killed: neither a reader of its output nor a tracer inside holds us up any longer. */
  #giveUpOutput(): void {
    const held = this.#child && heldByTracer(this.#child)
    if (held) this.#heldByTracer.resolve(held)
    this.#interrupted.resolve(SIGINT)
  }

  /** The program has not started: its execve waits, perhaps for a file system that does not answer. */
  async #giveUp(signal: number): Promise<void> {
    if (this.#child || !this.starting()) return
    this.gaveUpAt = signal
    await endProcess(this.starting())
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#deadline)
    this.#pumped?.end()
    this.#streams?.close()
    this.#signals[Symbol.dispose]()
  }
}
