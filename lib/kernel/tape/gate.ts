import { closeSync, read } from 'node:fs'
import { codeOf } from '../../common/error-code.ts'
import { promisify } from '../../common/util.ts'
import { MSG_NOSIGNAL } from '../syscalls/constants.ts'
import { socketPair } from '../process/pipe.ts'
import { block, POLLIN } from '../process/poll.ts'
import { now } from '../syscalls/now.ts'
import { SecondStage } from './second-stage.ts'
import type { Tape } from './tape.ts'

const readAsync = promisify(read)

/**
 * Where the child waits until the parent has done its work (uid_map, cgroup.procs, the veth end): libcontainer's init
 * pipe. The child writes a byte when it arrives and reads one to go on; end of file means that the parent died.
 */
export class Gate {
  readonly #parent: number
  readonly #child: number
  #recorded = false

  constructor() {
    ;[this.#parent, this.#child] = socketPair()
  }

  /** Adds a gate to the tape; several may follow each other. */
  record(tape: Tape): void {
    this.closeParentEnd(tape)
    tape.write(this.#child, Buffer.from('?'), 1)
    tape.readByte(this.#child)
  }

  /** The child's descriptor. */
  get childEnd(): number {
    return this.#child
  }

  /** With a copy of the parent's end, the child or a process beside it would never see end of file. */
  closeParentEnd(tape: Tape): void {
    if (!this.#recorded) tape.close(this.#parent)
    this.#recorded = true
  }

  /**
   * Comes after PR_SET_PDEATHSIG, which does not notice a parent that is already dead: a write to a socket whose other end is
   * closed fails with EPIPE, and ends the child. The byte is never read.
   */
  recordLife(tape: Tape): void {
    tape.write(this.#child, Buffer.from('!'), 1)
  }

  /**
   * Adds the second stage to the tape, at the end or before the op at `at`. `kept`: descriptors that it needs besides 0, 1, 2 and
   * this gate. Throws a machine error if the kernel does not allow executing a file in memory.
   */
  enterSecondStage(tape: Tape, kept: readonly number[] = [], at = tape.ops.length): void {
    const second = (this.#second = new SecondStage())
    tape.insert(at, () => second.record(tape, [this.#child, ...kept]))
  }
  #second: SecondStage | undefined

  /** Resolves to true when the child waits at the gate; to false if it ended before. */
  async reached(): Promise<boolean> {
    try {
      return (await readAsync(this.#parent, Buffer.alloc(1), 0, 1, null)).bytesRead === 1
    } catch (error) {
      if (codeOf(error) === 'ECONNRESET') return false // it has died before it read our byte: unix(7)
      throw error
    }
  }

  /** Waits until the child is at the gate, or has ended; no longer than some milliseconds. Blocks this thread. */
  awaitArrival(milliseconds: number): void {
    block(this.#parent, POLLIN, milliseconds)
  }

  /** Lets the child go on. False if it has died at the gate. */
  pass(): boolean {
    try {
      // not write(2): that would also send us SIGPIPE, which ends a step
      now.sendto(this.#parent, Buffer.from('g'), 1, MSG_NOSIGNAL, null, 0)
      return true
    } catch (error) {
      if (['EPIPE', 'ECONNRESET'].includes(codeOf(error) ?? '')) return false
      throw error
    }
  }

  /** The child has its copy: from here on we see end of file when it dies. */
  closeChildEnd(): void {
    closeSync(this.#child)
  }

  /** A child that waits here reads end of file, and ends. May be called more than once. */
  close(): void {
    if (this.#isOpen) closeSync(this.#parent)
    this.#isOpen = false
  }
  #isOpen = true

  /** What `record` returns; if it throws, no child will come, and everything is closed. */
  orAbandon<T>(record: () => T): T {
    try {
      return record()
    } catch (error) {
      this.abandon()
      throw error
    }
  }

  /** Closes everything, if no child will come. */
  abandon(): void {
    this.closeChildEnd()
    this.close()
    this.closeSecondStage()
  }

  /** To be called when no child uses the second stage any more, and its results are read. */
  closeSecondStage(): void {
    this.#second?.[Symbol.dispose]()
  }
}
