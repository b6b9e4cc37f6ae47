import { closeSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { orClose } from '../common/descriptor.ts'
import { memoryFile } from '../kernel/process/memory-file.ts'
import { Filled } from '../kernel/syscalls/arena.ts'
import {
  CLONE_PARENT_SETTID,
  CLONE_VM,
  CLOSE_RANGE_CLOEXEC,
  LAST_FD,
  PR_SET_DUMPABLE,
  P_PIDFD,
  SEEK_CUR,
  SEEK_SET,
  SIG_SETMASK,
  TIOCSPGRP,
  WEXITED,
  WNOHANG,
  WNOWAIT,
} from '../kernel/syscalls/constants.ts'
import { ALL_SIGNALS } from '../kernel/syscalls/argument-kinds.ts'
import { closeTape, standaloneFile } from '../kernel/tape/standalone.ts'
import type { TapeFile } from '../kernel/tape/tape-file.ts'
import { Label, Tape } from '../kernel/tape/tape.ts'
import type { Part } from './part.ts'
import { dieWithUs, program } from './parts/process.ts'

const { SIGCHLD, SIGUSR1 } = constants.signals
/** A signal as a sigset_t. */
const only = (signal: number) => 1n << BigInt(signal - 1)
const MASK_SIZE = 8

/** Its descriptors, besides the program's 0, 1 and 2: a file for numbers, and a pidfd of the program. */
const [NUMBER, PROGRAM] = [3, 4]

/**
 * Process 1 of `run --init`, as docker-init (tini): it passes on each signal to the program, its child, reaps orphans, and ends as the
 * program has ended. It is nothing but a tape.
 *
 * A handler would be code of ours that runs when a signal comes; a tape has none. So all signals are blocked, and it waits for them by
 * rt_sigtimedwait(2), which returns the number. A tape cannot compare either, nor look into its memory. A file does both: lseek(2)
 * returns the position that it is given, and a branch looks at results; what is written to the file can be read back to another place,
 * byte by byte.
 */
export function initTape(): Tape {
  const tape = new Tape()
  const [next, reap, forward] = [new Label('next'), new Label('reap'), new Label('forward')]
  const [dumped, exited] = [new Label('dumped'), new Label('exited')]
  const [status, endedBy, exitStatus] = [
    new Uint8Array(4),
    new Filled('its signal'),
    new Filled('its exit status'),
  ]
  closeTape(tape)
  tape.note('as for any program, its user may look at its open files, such as /proc/1/fd/1')
  tape.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
  tape.note('the program has waited for it: makeProgram')
  tape.pidfd_send_signal(PROGRAM, SIGUSR1, 0, 0)

  tape.mark(next)
  tape.note('all signals are blocked, so they wait until they are fetched here')
  const signal = tape.branch({ min: 1n, under: next }).rt_sigtimedwait(ALL_SIGNALS, null, 0, MASK_SIZE)
  tape.note(`${SIGCHLD} is SIGCHLD: a child has ended; all others are for the program`)
  const isChild = { min: BigInt(SIGCHLD), max: BigInt(SIGCHLD), under: forward, over: forward }
  tape.branch(isChild).lseek(NUMBER, signal, SEEK_SET)

  tape.mark(reap)
  tape.note('one SIGCHLD may stand for several children: until there are no more')
  tape.branch({ min: 1n, under: next }).wait4(-1, status, WNOHANG, null)
  tape.note('while the program is still a child, the other was an orphan, whose parent had ended')
  tape
    .branch({ min: -(2n ** 63n), max: -1n, over: reap })
    .waitid(P_PIDFD, PROGRAM, null, WEXITED | WNOHANG | WNOWAIT, null)

  tape.note('the program has ended: what wait4 has written becomes arguments of the calls below')
  tape.writev(NUMBER, [{ base: status, length: status.length }], 1)
  tape.lseek(NUMBER, -status.length, SEEK_CUR)
  const parts = [endedBy, exitStatus].map(base => ({ base, length: 1 }))
  tape.readv(NUMBER, parts, parts.length)
  tape.branch({ min: 1n, under: exited, max: 127n, over: dumped }).lseek(NUMBER, endedBy, SEEK_SET)
  tape.note('ended by a signal: 128 and its number; if its memory was dumped, 128 is in it already')
  tape.lseek(NUMBER, 128, SEEK_CUR)
  tape.mark(dumped)
  tape.exit_group(tape.lseek(NUMBER, 0, SEEK_CUR))
  tape.mark(exited)
  tape.exit_group(exitStatus)

  tape.mark(forward)
  tape.thenGoTo(next).pidfd_send_signal(PROGRAM, signal, 0, 0)
  return tape
}

/** What makes process 1 an init. It is needed until the program has started. */
export class Init implements Disposable {
  readonly #file: TapeFile
  readonly #number: number
  readonly #isInit = new Label('process 1')

  constructor() {
    this.#number = memoryFile('number', 'data')
    this.#file = orClose(this.#number, () => {
      writeSync(this.#number, Buffer.alloc(64)) // it has its memory: the container's limit may be reached when it is used
      return standaloneFile(initTape())
    })
  }

  /** The descriptors that process 1 needs until it has become the init. */
  get needs(): number[] {
    return [this.#number, ...this.#file.needs]
  }

  /** The part for the program, with process 1 before and after it. */
  readonly part: Part = {
    name: program.name,
    inside: (tape, container, gate) => {
      if (container.diesWithUs) dieWithUs(tape, gate) // the program dies with process 1
      const pid = this.#makeProgram(tape)
      program.inside?.(tape, { ...container, diesWithUs: false }, gate)
      this.#become(tape, pid)
    },
  }

  /**
   * Records that process 1 makes a child; what is recorded from here on is done by the child. It has all rights of process 1, which it gives
   * up as process 1 has done. Each writes only to its own ops, and the launchpad uses no stack, so both can replay in the same memory. The
   * child waits until process 1 is the init: otherwise the program could find a process 1 that its user may not look at.
   */
  #makeProgram(tape: Tape): Filled {
    const pid = new Filled('pid of the program')
    tape.rt_sigprocmask(SIG_SETMASK, ALL_SIGNALS, null, MASK_SIZE) // before the program exists: no signal is lost
    // not clone3, which the filter refuses: seccomp-default.ts
    const flags = CLONE_VM + CLONE_PARENT_SETTID + SIGCHLD
    tape.branch({ max: 0n, over: this.#isInit }).clone(flags, 0, pid, 0, 0)
    // its own process group, in the foreground: a key such as Ctrl-C reaches the program, but not process 1, which would pass it on
    tape.setpgid(0, 0)
    tape.attempt.ioctl(0, TIOCSPGRP, pid) // ENOTTY: there is no terminal
    const ready = new Label('ready')
    tape.mark(ready)
    tape.branch({ min: 1n, under: ready }).rt_sigtimedwait(only(SIGUSR1), null, 0, MASK_SIZE) // EINTR: again
    tape.rt_sigprocmask(SIG_SETMASK, 0n, null, MASK_SIZE)
    return pid
  }

  /** Records that process 1 becomes the init. */
  #become(tape: Tape, pid: Filled): void {
    tape.mark(this.#isInit)
    tape.aside = true
    tape.dup3(tape.pidfd_open(pid, 0), PROGRAM, 0)
    tape.dup3(this.#number, NUMBER, 0)
    tape.close_range(PROGRAM + 1, LAST_FD, CLOSE_RANGE_CLOEXEC)
    this.#file.execute(tape, 'init')
    tape.aside = false
  }

  [Symbol.dispose](): void {
    closeSync(this.#number)
    closeSync(this.#file.fd)
  }
}
