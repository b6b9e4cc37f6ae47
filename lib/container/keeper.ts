import { closeSync, readSync } from 'node:fs'
import { orClose } from '../common/descriptor.ts'
import { type Attended, type Child, type Exit, exitIn } from '../kernel/process/child.ts'
import { pipe } from '../kernel/process/pipe.ts'
import { findProcess, send } from '../kernel/process/signal.ts'
import {
  CLOSE_RANGE_CLOEXEC,
  LAST_FD,
  PR_SET_PDEATHSIG,
  P_ALL,
  SIGKILL,
  WEXITED,
} from '../kernel/syscalls/constants.ts'
import { closeTape, standaloneFile } from '../kernel/tape/standalone.ts'
import type { TapeFile } from '../kernel/tape/tape-file.ts'
import { Label, Tape } from '../kernel/tape/tape.ts'
import { INFO } from './state/exit-record.ts'

/** Its only descriptor: the pipe in which it tells us how the program has ended. */
const RECORD = 0

/**
 * The parent of a program that `exec` starts. It is nothing but a tape: it reaps the program, and tells us how that has ended.
 *
 * If we were the parent, the container could not end while we are stopped, as a background job that uses its terminal is: process 1 of a pid
 * namespace ends when all other processes there have been reaped, pid_namespaces(7). No key stops this process.
 */
function keeperTape(): Tape {
  const tape = new Tape()
  const info = new Uint8Array(INFO)
  closeTape(tape)
  tape.note('it ends with us, and the program with it; setns(2) may have cleared that')
  tape.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
  tape.note('if we have ended before, nothing reads, and SIGPIPE ends it')
  tape.write(RECORD, Buffer.from('!'), 1)
  tape.waitid(P_ALL, 0, info, WEXITED, null)
  tape.writev(RECORD, [{ base: info, length: INFO }], 1)
  tape.exit_group(0)
  return tape
}

/** What makes a first child a keeper. It is needed until that has executed its tape. */
export class Keeper implements Disposable {
  readonly #file: TapeFile = standaloneFile(keeperTape())
  readonly #record = orClose(this.#file.fd, pipe)
  #isOurs = true
  /** where the first child goes on, once its child has become the program, or has failed */
  readonly place = new Label('keeper')

  /** The descriptors that the first child needs until then. */
  get needs(): number[] {
    return [this.#record.write, ...this.#file.needs]
  }

  /** Records how the first child becomes the keeper. It gives back all that it has of ours, so that we see the end of the program's output. */
  become(tape: Tape): void {
    tape.mark(this.place)
    tape.aside = true
    tape.dup3(this.#record.write, RECORD, 0)
    tape.close_range(RECORD + 1, LAST_FD, CLOSE_RANGE_CLOEXEC)
    this.#file.execute(tape, 'minilab-exec')
    tape.aside = false
  }

  /** The program, by its pid and its parent, the keeper. To be called when it has come to a gate, where it waits, or was killed. */
  kept(pid: number, keeper: Child): Attended {
    this.#giveUp() // the child has its copy: only the keeper is to write
    const pidfd = findProcess(pid)
    const exit = keeper.exit.then(() => {
      if (pidfd !== undefined) closeSync(pidfd)
      return this.#recorded()
    })
    return {
      pid,
      get alive() {
        return keeper.alive
      },
      exit,
      kill: signal => pidfd !== undefined && keeper.alive && send(pidfd, signal),
    }
  }

  /** How the program ended. A keeper that was killed leaves no record: its program was killed with it. */
  #recorded(): Exit {
    const record = new Uint8Array(1 + INFO)
    const length = readSync(this.#record.read, record)
    const info = record.slice(1)
    return (length === record.length && exitIn(info)) || { status: null, signal: 'SIGKILL' }
  }

  #giveUp(): void {
    if (!this.#isOurs) return
    this.#isOurs = false
    closeSync(this.#record.write)
    closeSync(this.#file.fd)
  }

  [Symbol.dispose](): void {
    this.#giveUp()
    closeSync(this.#record.read)
  }
}
