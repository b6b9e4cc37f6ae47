import { closeSync, openSync, readSync } from 'node:fs'
import { F_SETFD, FD_CLOEXEC, LOCK_EX, PR_SET_DUMPABLE } from '../syscalls/constants.ts'
import type { Arena } from '../syscalls/arena.ts'
import { orClose } from '../../common/descriptor.ts'
import { now } from '../syscalls/now.ts'
import { TAPE_FD, TapeFile } from './tape-file.ts'
import type { Tape } from './tape.ts'

/**
 * The second stage of a child. In the first stage it shares our memory, so to the kernel it is still Node's program. Before
 * it gives up its rights and starts a possibly hostile program, it executes a program that is just the rest of its tape: less than 700
 * bytes, in a sealed file in memory. From then on neither Node's memory nor its program is left in it:
 * `/proc/self/exe`, through which CVE-2019-5736 overwrote runtimes, is that file.
 *
 * The tape lies in a second file, which both processes have open, so the results come back by themselves. The child holds
 * a lock on it by its mapping, whatever it closes: the lock is released when the child has executed its program, or has ended.
 */
export class SecondStage implements Disposable {
  readonly #file = new TapeFile()
  /** our descriptor of the tape, and the one for the child: each with its own lock, as if two processes had opened the file */
  readonly ours: number
  readonly theirs = this.#file.fd
  #isTheirsClosed = false
  #isOpen = true

  constructor() {
    // opened a second time: then a lock taken by one descriptor excludes the other
    this.ours = orClose(this.theirs, () => openSync(`/proc/self/fd/${this.theirs}`, 'r+'))
  }

  get arena(): Arena {
    return this.#file.arena
  }

  /**
   * Records the transition: the last calls of the first stage, the first ones of the second. `kept`: descriptors that it needs
   * besides 0, 1 and 2.
   */
  record(tape: Tape, kept: readonly number[]): void {
    for (const fd of kept) tape.fcntl(fd, F_SETFD, 0)
    this.#file.execute(tape)
    tape.second = { at: tape.ops.length, stage: this }
    tape.close(TAPE_FD) // the mapping stays
    for (const fd of kept) tape.fcntl(fd, F_SETFD, FD_CLOEXEC)
    // execve(2) has made it dumpable again: a process in the container could trace it, and act with its rights
    tape.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
  }

  /** Fills the file from the arena: with the ops between the two addresses. */
  fill(bounds: readonly [bigint, bigint]): void {
    this.#file.fill(bounds)
    now.flock(this.theirs, LOCK_EX) // until the child has released it
  }

  /** Copies the results of the second stage so far into the arena, and into the buffers that its calls fill. */
  look(): void {
    if (!this.#isOpen) return
    const { used } = this.arena
    for (let at = 0, got = -1; at < used.length && got !== 0; at += got)
      got = readSync(this.ours, used, at, used.length - at, at)
    this.arena.collect()
  }

  /** For the launchpad: it closes `theirs` when the child has its copy, and then waits for the lock. */
  theirsIsClosed(): void {
    this.#isTheirsClosed = true
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#file.release()
    closeSync(this.ours)
    if (!this.#isTheirsClosed) closeSync(this.theirs)
  }
}
