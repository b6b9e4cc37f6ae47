import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { P_PIDFD, WEXITED, WNOHANG } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import { processExists, startTime, unlessGone, waitStatus } from './procfs.ts'

/** How a process ended: by exit(status), or by a signal. */
export interface Exit {
  status: number | null
  signal: NodeJS.Signals | null
  /** the number of a signal that has no name in Node: a real-time signal */
  number?: number
}

const CLD_EXITED = 1
const CLD_DUMPED = 3 // the last code that says that a process has ended: sigaction(2)
const SIGINFO = { size: 128, code: 8, pid: 16, status: 24 } // offsets in siginfo_t: asm-generic/siginfo.h

/** A child of this process that libuv does not know: its pid, a pidfd, and how it ends. */
export class Child {
  readonly pid: number
  readonly pidfd: number
  /** in clock ticks since boot: together with the pid, an identity that is never reused */
  readonly started: number
  /** resolves when the process has ended and is reaped */
  readonly exit: Promise<Exit>

  /** Takes over the pidfd, and closes it when the child is reaped. */
  constructor(pid: number, pidfd: number) {
    this.pid = pid
    this.pidfd = pidfd
    this.started = startTime(pid) // readable until the child is reaped
    this.exit = new Promise((resolve, reject) => {
      const look = () => {
        try {
          const ended = reap(pidfd)
          if (!ended) return
          this.#alive = false
          closeSync(pidfd)
          resolve(ended)
        } catch (error) {
          reject(error)
        }
        unwatch(look)
      }
      watch(look)
      look() // it may have ended before we listened
    })
    this.exit.catch(() => {}) // the code that awaits it gets the error; until then it is not an unhandled rejection
  }

  #alive = true
  get alive(): boolean {
    return this.#alive
  }

  /** Sends a signal, unless the child has been reaped: true if it was sent. */
  kill(signal: NodeJS.Signals | number): boolean {
    if (!this.#alive) return false
    now.pidfd_send_signal(this.pidfd, typeof signal === 'number' ? signal : constants.signals[signal], 0, 0)
    return true
  }
}

/** A process that we wait for, and that gets our signals: a child, or a child of one. */
export type Attended = Pick<Child, 'pid' | 'alive' | 'exit' | 'kill'>

// libuv reaps only its own children. At SIGCHLD, waitid tells for each of our children whether it has ended. There is one list per
// process, because the signal goes to the process; each child in the list asks only for itself
const watching = new Set<() => void>()
const lookAtAll = () => watching.forEach(look => look())
let keepAlive: NodeJS.Timeout | undefined

function watch(look: () => void): void {
  if (watching.size === 0) {
    process.on('SIGCHLD', lookAtAll)
    keepAlive = setInterval(() => {}, 2 ** 30) // a signal handler alone does not keep Node running
  }
  watching.add(look)
}

function unwatch(look: () => void): void {
  watching.delete(look)
  if (watching.size > 0) return
  process.off('SIGCHLD', lookAtAll)
  clearInterval(keepAlive)
}

/** waitid(2) without waiting: how the child ended, or undefined while it runs. */
function reap(pidfd: number): Exit | undefined {
  const info = new Uint8Array(SIGINFO.size)
  now.waitid(P_PIDFD, pidfd, info, WEXITED | WNOHANG, null)
  return exitIn(info)
}

/** How a child ended, from the siginfo_t that waitid(2) has filled; undefined if it has not. */
export function exitIn(info: Uint8Array): Exit | undefined {
  const view = new DataView(info.buffer, info.byteOffset)
  if (view.getInt32(SIGINFO.pid, true) === 0) return undefined
  const code = view.getInt32(SIGINFO.code, true)
  // a program that calls ptrace(PTRACE_TRACEME) makes us its tracer: waitid then tells also that it has stopped (CLD_TRAPPED)
  if (code > CLD_DUMPED) return undefined
  const status = view.getInt32(SIGINFO.status, true)
  if (code === CLD_EXITED) return { status, signal: null }
  const signal = signalName(status)
  return { status: null, signal, ...(!signal && { number: status }) }
}

/**
 * How a child ended that has ended, but cannot be reaped: ptrace(2), a tracer that does not wait for it holds it. Undefined if it still
 * runs, or can be reaped.
 */
export function heldByTracer({ pid, alive }: Attended): Exit | undefined {
  if (!alive || processExists(pid)) return undefined
  const code = unlessGone(() => waitStatus(pid)) // its keeper may reap it before we see that
  if (code === undefined) return undefined
  const [status, number] = [code >> 8, code & 0x7f] // wait(2), WIFEXITED
  if (number === 0) return { status, signal: null }
  const signal = signalName(number)
  return { status: null, signal, ...(!signal && { number }) }
}

function signalName(number: number): NodeJS.Signals | null {
  return (Object.entries(constants.signals).find(([, n]) => n === number)?.[0] ??
    null) as NodeJS.Signals | null
}

/** The exit status as a shell gives it: 128 + the signal's number for a process killed by a signal. */
export function shellStatus(exit: Exit): number {
  return exit.status ?? 128 + (exit.signal ? constants.signals[exit.signal] : (exit.number ?? 0))
}
