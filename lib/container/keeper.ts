import { closeSync, readSync } from 'node:fs'
import { orClose } from '../common/descriptor.ts'
import { codeOf } from '../common/error-code.ts'
import { type Attended, type Child, type Exit, exitIn } from '../kernel/process/child.ts'
import { socketPair } from '../kernel/process/pipe.ts'
import { POLLIN } from '../kernel/process/poll.ts'
import { unlessGone } from '../kernel/process/procfs.ts'
import { send } from '../kernel/process/signal.ts'
import type { Filled } from '../kernel/syscalls/arena.ts'
import { ALL_SIGNALS } from '../kernel/syscalls/argument-kinds.ts'
import {
  CLOSE_RANGE_CLOEXEC,
  F_SETFL,
  LAST_FD,
  O_NONBLOCK,
  O_RDWR,
  PR_SET_PDEATHSIG,
  P_PIDFD,
  SIGCHLD,
  SIGKILL,
  SIG_SETMASK,
  WEXITED,
} from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'
import { closeTape, standaloneFile } from '../kernel/tape/standalone.ts'
import type { TapeFile } from '../kernel/tape/tape-file.ts'
import { Label, Tape } from '../kernel/tape/tape.ts'
import { INFO } from './state/exit-record.ts'

/** Its descriptors: the socket by which it tells us how the program has ended, and a pidfd of that. */
const [US, PROGRAM] = [0, 1]

/**
 * The parent of a program that `exec` starts. It is nothing but a tape: it reaps the program, and tells us how that has ended.
 *
 * If we were the parent, the container could not end while we are stopped, as a background job that uses its terminal is: process 1 of a pid
 * namespace ends when all other processes there have been reaped, pid_namespaces(7). No key stops this process.
 */
function keeperTape(): Tape {
  const tape = new Tape()
  const info = new Uint8Array(INFO)
  const wait = new Label('wait')
  closeTape(tape)
  tape.note('it ends with us, and the program with it; setns(2) may have cleared that')
  tape.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
  tape.note(
    'if we have ended before, EPIPE ends it; from here on the pid of the program may become another process',
  )
  tape.write(US, Buffer.from('!'), 1)
  tape.note(
    'a pidfd can be read when its process has ended; waitid(2) alone would also tell that a tracee has stopped',
  )
  const pollfd = new Uint8Array(Int32Array.of(PROGRAM, POLLIN).buffer)
  tape.mark(wait)
  tape.branch({ min: 1n, under: wait }).ppoll(pollfd, 1, 0, 0, 0)
  tape.waitid(P_PIDFD, PROGRAM, info, WEXITED, null)
  tape.writev(US, [{ base: info, length: INFO }], 1)
  tape.exit_group(0)
  return tape
}

/** What makes a first child a keeper. It is needed until the program has ended. */
export class Keeper implements Disposable {
  readonly #file: TapeFile = standaloneFile(keeperTape())
  readonly #sockets = orClose(this.#file.fd, socketPair)
  /** what the keeper tells: that it may reap the program, and how that has ended */
  readonly #said = Buffer.alloc(1 + INFO)
  #heard = 0
  #hasChild = false
  /** where the first child goes on, once its child has become the program, or has failed */
  readonly #place = new Label('keeper')

  constructor() {
    now.fcntl(this.#sockets[0], F_SETFL, O_RDWR | O_NONBLOCK)
  }

  /** The descriptors that the first child needs until then. */
  get needs(): number[] {
    return [this.#sockets[1], ...this.#file.needs]
  }

  /** Records that the first child makes the second, whose pid `pid` receives. What is recorded from here on is done by the second. */
  makeChild(tape: Tape, flags: number, pid: Filled): void {
    tape.become({ flags, exitSignal: SIGCHLD, parentTid: pid }, this.#place)
    tape.close(this.#sockets[1])
  }

  /** Records how the first child becomes the keeper. It gives back all that it has of ours, so that we see the end of the program's output. */
  become(tape: Tape, pid: Filled): void {
    tape.mark(this.#place)
    tape.aside = true
    // what ends all processes of the caller's session or cgroup, such as SIGTERM, is ours to pass on
    tape.rt_sigprocmask(SIG_SETMASK, ALL_SIGNALS, null, 8)
    tape.dup3(this.#sockets[1], US, 0)
    tape.dup3(tape.pidfd_open(pid, 0), PROGRAM, 0)
    tape.close_range(PROGRAM + 1, LAST_FD, CLOSE_RANGE_CLOEXEC)
    this.#file.execute(tape, 'minilab-exec')
    tape.aside = false
  }

  /** The program, by its pid and its parent, the keeper: when it has come to a gate, where it waits, or was killed. */
  kept(pid: number, keeper: Child): Attended {
    this.#giveUp() // the child has its copy
    const pidfd = this.#pidfdOf(pid)
    const exit = keeper.exit.then(() => {
      if (pidfd !== undefined) {
        send(pidfd, 'SIGKILL') // for the case that not the program has ended, but the keeper
        closeSync(pidfd)
      }
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

  /**
   * A pidfd of the program; none if the keeper may have reaped it before. The keeper does not wait for us: stopped, we would keep the
   * container from ending. But it tells us before it reaps, so what we got before we are told is the program.
   */
  #pidfdOf(pid: number): number | undefined {
    const pidfd = unlessGone(() => now.pidfd_open(pid, 0))
    this.#hear()
    if (this.#heard === 0) return pidfd
    if (pidfd !== undefined) closeSync(pidfd)
    return undefined
  }

  /** Takes what the keeper has told us so far. */
  #hear(): void {
    try {
      for (let got = -1; got !== 0 && this.#heard < this.#said.length; this.#heard += got)
        got = readSync(this.#sockets[0], this.#said, this.#heard, this.#said.length - this.#heard, null)
    } catch (error) {
      if (!['EAGAIN', 'ECONNRESET'].includes(codeOf(error) ?? '')) throw error
    }
  }

  /** How the program ended. A keeper that was killed leaves no record: its program was killed with it. */
  #recorded(): Exit {
    this.#hear()
    const info = new Uint8Array(this.#said.subarray(1))
    return (this.#heard === this.#said.length && exitIn(info)) || { status: null, signal: 'SIGKILL' }
  }

  #giveUp(): void {
    if (this.#hasChild) return
    this.#hasChild = true
    closeSync(this.#sockets[1])
    closeSync(this.#file.fd)
  }

  [Symbol.dispose](): void {
    this.#giveUp()
    closeSync(this.#sockets[0])
  }
}
