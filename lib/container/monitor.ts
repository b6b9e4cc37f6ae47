import { writeSync } from 'node:fs'
import { closing } from '../common/descriptor.ts'
import { pipe } from '../kernel/process/pipe.ts'
import {
  CLOCK_REALTIME,
  CLONE_NEWNS,
  CLONE_PARENT_SETTID,
  CLONE_VFORK,
  CLONE_VM,
  CLOSE_RANGE_CLOEXEC,
  LAST_FD,
  PR_SET_DUMPABLE,
  P_ALL,
  SIGCHLD,
  WEXITED,
} from '../kernel/syscalls/constants.ts'
import type { Gate } from '../kernel/tape/gate.ts'
import { closeTape, standaloneFile } from '../kernel/tape/standalone.ts'
import { Label, Tape } from '../kernel/tape/tape.ts'
import type { TapeFile } from '../kernel/tape/tape-file.ts'
import { INFO, TIME } from './state/exit-record.ts'

/** The monitor's descriptors, besides 0, 1 and 2. */
export const MONITOR_FD = { go: 3, exit: 4, ledger: 5, handed: 6, held: 7, home: 8 }

/** What a monitor needs. */
export interface MonitorOptions {
  /** what it has as 0, 1 and 2: its last program has them too */
  stdio: [number, number, number]
  /** the file for the exit record, which has room for it */
  exit: number
  /** the ledger, whose lock says that its owner lives */
  ledger: number
  /** what the last program is told */
  handed: number
  /** the end of the program's stdin that stays open */
  held?: number | undefined
  /** the mount namespace in which it becomes that program, if another one */
  home?: number | undefined
  /** the program that it becomes when the container has ended: it takes back what was made */
  program: { args: string[]; env: string[] }
}

/**
 * The monitor of a container that runs in the background: its parent, and nothing but a tape. It waits for the container's end, records
 * how and when it ended, and then becomes minilab, to take back what was made. conmon and containerd-shim have this task elsewhere.
 *
 * It needs no subreaper: orphans of the container's processes go to the first process of its pid namespace.
 */
export function monitorTape({ program, home }: Pick<MonitorOptions, 'program' | 'home'>): Tape {
  const tape = new Tape()
  const failed = new Label('failed')
  const [info, time] = [new Uint8Array(INFO), new Uint8Array(TIME)]
  closeTape(tape)
  tape.note('its user may look at its open files: minilab looks there for ledgers in use')
  tape.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
  tape.note('until minilab writes that the container runs; end of file: the start has failed')
  tape.branch({ min: 1n, under: failed }).read(MONITOR_FD.go, new Uint8Array(1), 1)
  tape.note("until the container's first process, its child, has ended")
  tape.waitid(P_ALL, 0, info, WEXITED, null)
  tape.clock_gettime(CLOCK_REALTIME, time)
  tape.note('the exit record: how it ended, and when')
  tape.attempt.writev(
    MONITOR_FD.exit,
    [
      { base: info, length: INFO },
      { base: time, length: TIME },
    ],
    2,
  )
  if (home !== undefined) {
    tape.note("the machine's mounts again, without those that a learner's parts have made")
    tape.setns(MONITOR_FD.home, CLONE_NEWNS)
  }
  tape.note('it becomes minilab, which takes back what was made on the host')
  tape.execve(program.args[0] ?? '', program.args, program.env)
  tape.mark(failed)
  tape.exit_group(1)
  return tape
}

/** A monitor that is started with its container. */
export class Monitor implements Disposable {
  readonly #options: MonitorOptions
  readonly #file: TapeFile
  readonly #go = pipe()
  /** receives the pid of the container's first process */
  readonly #child = new Uint8Array(4)
  /** its pid, once it is started */
  pid = 0

  constructor(options: MonitorOptions) {
    this.#options = options
    this.#file = standaloneFile(monitorTape(options))
  }

  /**
   * Records the beginning of the container's tape: a first child starts a session, makes the container by a second clone3, and waits until
   * that has left its memory. Then it becomes the monitor: the calls at `monitor`.
   */
  record(tape: Tape, gate: Gate, flags: number): void {
    const { stdio, exit, ledger, handed, held, home } = this.#options
    const [start, monitor] = [new Label('start'), new Label('monitor')]
    tape.part = 'monitor'
    tape.thenGoTo(start).setsid()
    tape.aside = true
    tape.mark(monitor)
    tape.close_range(stdio.length, LAST_FD, CLOSE_RANGE_CLOEXEC) // it keeps only the copies below
    stdio.forEach((fd, target) => tape.dup3(fd, target, 0))
    const given = { go: this.#go.read, exit, ledger, handed, held, home }
    for (const [name, fd] of Object.entries(given))
      if (fd !== undefined) tape.dup3(fd, MONITOR_FD[name as keyof typeof given], 0)
    tape.chdir('/') // so that its file system can be unmounted, however long the container runs
    this.#file.execute(tape, 'minilab-monitor')
    tape.aside = false
    tape.mark(start)
    gate.closeParentEnd(tape)
    const clone = {
      flags: flags + CLONE_VM + CLONE_VFORK + CLONE_PARENT_SETTID,
      exitSignal: SIGCHLD,
      parentTid: this.#child,
    }
    tape.become(clone, monitor)
  }

  /** For `Launched.pidIn`. */
  get child(): Uint8Array {
    return this.#child
  }

  /** The container runs, and belongs to the monitor from here on. */
  go(): void {
    writeSync(this.#go.write, 'g')
  }

  /** Without `go` it ends now. */
  [Symbol.dispose](): void {
    for (const fd of [this.#file.fd, this.#go.read, this.#go.write]) closing(fd)[Symbol.dispose]()
  }
}
