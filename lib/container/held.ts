import { openSync } from 'node:fs'
import { join } from 'node:path'
import { closing } from '../common/descriptor.ts'
import { MinilabError } from '../common/errors.ts'
import {
  AT_FDCWD,
  CLOSE_RANGE_CLOEXEC,
  FD_CLOEXEC,
  F_SETFD,
  LAST_FD,
  O_CLOEXEC,
  O_RDWR,
  PR_SET_DUMPABLE,
  S_IFIFO,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
} from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'
import type { Gate } from '../kernel/tape/gate.ts'
import { closeTape, refusedIn, resultIn, standaloneFile } from '../kernel/tape/standalone.ts'
import { type Op, Tape } from '../kernel/tape/tape.ts'
import { TAPE_FD } from '../kernel/tape/tape-file.ts'
import { rangesWithout } from './parts/process.ts'

/** The files by which another command starts the container: two FIFOs, and the tape, in which that command reads the results. */
const FILES = { start: 'start', result: 'result', tape: 'tape' } as const

/** A call as `start` prints it if it is refused: with the learner's line, but not if it is the execve, which engines know. */
function withPlace(line: string, op: Op | undefined): string {
  const { at } = op ?? {}
  return at && !line.startsWith('execve(') ? `${at.file}:${at.line} (${at.text}): ${line}` : line
}

/** The call that returns a listener. */
const isListening = ({ call, args: [, flags] }: Op): boolean =>
  call === 'seccomp' && (Number(flags) & SECCOMP_FILTER_FLAG_NEW_LISTENER) !== 0

/**
 * A container that is created, but not started. Its second stage is a program by itself, which needs no process of ours: it waits at the
 * FIFO `start`, and then makes the rest of its calls. Its end of the FIFO `result` is close-on-exec, so end of file there means that it
 * has executed its program, or has ended. (runc: its exec.fifo.) The child has both FIFOs open for reading and writing: then no open
 * waits, and it gets no SIGPIPE.
 */
export class Held implements Disposable {
  readonly #stack = new DisposableStack()
  readonly #start: number
  readonly #result: number
  readonly #tape: number
  /** how many descriptors, from 3 on, the program gets besides 0, 1 and 2 */
  readonly preserved: number
  /** the calls of the second stage, printed; set when they are recorded */
  printed: string[] = []
  /** what is to be done when the second stage waits, before it may be started */
  onReady: () => void | Promise<void> = () => {}
  /** passes on its listener, if its filter leaves calls to another program */
  onListener: (fd: number) => void | Promise<void> = () => {}
  #isReady = false
  #ops: Op[] = []

  /** Makes the files in a folder that only we may enter. */
  constructor(folder: string, preserved = 0) {
    if (preserved > TAPE_FD - 3)
      throw new MinilabError(
        'usage',
        `${preserved} descriptors cannot be preserved`,
        `at most ${TAPE_FD - 3}`,
      )
    this.preserved = preserved
    const path = (name: keyof typeof FILES) => join(folder, FILES[name])
    try {
      for (const name of ['start', 'result'] as const) now.mknodat(AT_FDCWD, path(name), S_IFIFO | 0o600, 0)
      this.#start = this.#open(now.openat(AT_FDCWD, path('start'), O_RDWR | O_CLOEXEC, 0))
      this.#result = this.#open(now.openat(AT_FDCWD, path('result'), O_RDWR | O_CLOEXEC, 0))
      this.#tape = this.#open(openSync(path('tape'), 'wx+', 0o600))
    } catch (error) {
      this[Symbol.dispose]()
      throw error
    }
  }

  #open(fd: number): number {
    this.#stack.use(closing(fd))
    return fd
  }

  /**
   * Makes the rest of a tape, from the op at `at`, a program that waits at the gate, then at `start`. If its filter has a listener, we must
   * pass that on, so the filter is set before both, and only the execve comes after them. (With runc this is so for every container.)
   */
  enter(tape: Tape, gate: Gate, at: number): void {
    const rest = tape.ops.splice(at)
    const second = new Tape()
    closeTape(second)
    // execve(2) has made it dumpable again: a process in the container could trace it, and act with its rights
    second.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    for (const fd of [gate.childEnd, this.#start, this.#result]) second.fcntl(fd, F_SETFD, FD_CLOEXEC)
    const before = rest.some(isListening) ? rest.findIndex(({ call }) => call === 'execve') : 0
    second.ops.push(...rest.splice(0, before))
    second.note('until minilab has recorded the container; end of file: it has died')
    gate.record(second)
    second.close(gate.childEnd)
    second.note('until the container is started')
    second.readByte(this.#start)
    second.ops.push(...rest)
    const lines = second.print().filter(line => !line.startsWith('#'))
    this.printed = lines.map((line, i) => withPlace(line, second.ops[i]))
    this.#ops = second.ops
    const file = standaloneFile(second, this.#tape)
    tape.close_range(3 + this.preserved, LAST_FD, CLOSE_RANGE_CLOEXEC)
    for (let fd = 3; fd < 3 + this.preserved; fd++) tape.fcntl(fd, F_SETFD, 0)
    for (const fd of [gate.childEnd, this.#start, this.#result]) tape.fcntl(fd, F_SETFD, 0)
    file.execute(tape)
  }

  /** The second stage waits with a listener, which is passed on. */
  async listens(pidfd: number): Promise<void> {
    const theirs = resultIn(this.#tape, this.#ops.findIndex(isListening))
    using listener = closing(now.pidfd_getfd(pidfd, Number(theirs), 0))
    await this.onListener(listener.fd)
  }

  /** The second stage waits. */
  async ready(): Promise<void> {
    await this.onReady()
    this.#isReady = true
  }

  /** Why there is no container that could be started; undefined if there is one. */
  get lost(): Error | undefined {
    if (this.#isReady) return undefined
    return (
      refusedIn(this.#tape, this.#ops) ??
      new MinilabError(
        'machine',
        'the container ended before it could be started',
        'a signal killed it, or it got no memory: dmesg | tail',
      )
    )
  }

  /**
   * Closes the descriptors that the program does not get, except the one that tells when it has been executed. `gate`: it has to wait there,
   * and at `start`, later; its execve closes both.
   */
  closeRest(tape: Tape, gate?: number): void {
    const needed = gate === undefined ? [] : [gate, this.#start]
    for (const [first, last] of this.#around(3, LAST_FD, needed)) tape.close_range(first, last, 0)
  }

  /** The calls that close a range of descriptors, from the op at `from` on, leave out the same ones. */
  spare(tape: Tape, from: number): void {
    const ops = tape.ops.splice(from)
    for (const op of ops) {
      const [first, last, flags] = op.args
      const isRange = op.call === 'close_range' && typeof first === 'number' && typeof last === 'number'
      if (!isRange) tape.ops.push(op)
      else for (const range of this.#around(first, last)) tape.ops.push({ ...op, args: [...range, flags] })
    }
  }

  /** A range of descriptors without those that have to stay open. */
  #around(first: number, last: number, needed: readonly number[] = []): [first: number, last: number][] {
    return rangesWithout([this.#result, ...needed], Math.max(first, 3 + this.preserved), last)
  }

  [Symbol.dispose](): void {
    this.#stack.dispose()
  }
}
