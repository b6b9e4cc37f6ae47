import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { P_PIDFD, WNOHANG, WSTOPPED } from './constants.ts'
import { now } from './now.ts'
import { send } from './signal.ts'
import { SyscallError } from './syscall-error.ts'

const { SIGCONT, SIGKILL } = constants.signals
const MOST_STOPS = 100

/**
 * Lets a child of ours go on that is stopped before it has become another program. It shares our memory until then, and in the pid
 * namespace that it has joined everybody may stop it: signal(7), SIGSTOP. One that is stopped again and again is killed.
 * `pid` tells which child it is, once there is one. The caller disposes of it when the child has left our memory.
 */
export function keepGoing(pid: () => number): Disposable & { readonly gaveUp: boolean } {
  let stops = 0
  const look = () => {
    const child = pid()
    if (child && isStopped(child)) signal(child, ++stops > MOST_STOPS ? SIGKILL : SIGCONT)
  }
  process.on('SIGCHLD', look)
  return {
    get gaveUp() {
      return stops > MOST_STOPS
    },
    [Symbol.dispose]: () => void process.off('SIGCHLD', look),
  }
}

/** waitid(2): told once for each stop. */
function isStopped(pid: number): boolean {
  const pidfd = now.pidfd_open(pid, 0)
  try {
    const info = new Uint8Array(128)
    now.waitid(P_PIDFD, pidfd, info, WSTOPPED | WNOHANG, null)
    return info.subarray(0, 4).some(Boolean) // si_signo
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'ECHILD') return false
    throw error
  } finally {
    closeSync(pidfd)
  }
}

function signal(pid: number, number: number): void {
  const pidfd = now.pidfd_open(pid, 0)
  try {
    send(pidfd, number)
  } finally {
    closeSync(pidfd)
  }
}
