import { closing } from '../../common/descriptor.ts'
import { P_PIDFD, WNOHANG, WSTOPPED } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import { findProcess, send } from './signal.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'

const MAX_STOPS = 100
/** How often it is looked at: ms. */
const LOOK_INTERVAL = 10

/**
 * Lets a child of ours go on that is stopped before it has become another program. It shares our memory until then, and in the pid
 * namespace that it has joined everybody may stop it: signal(7), SIGSTOP. One that is stopped again and again is killed.
 * `pid` tells which child it is, once there is one. The caller disposes of it when the child has left our memory.
 *
 * SIGCHLD does not tell: the kernel may give it to the thread that made the child, and that one waits in vfork(2) until the child
 * goes on.
 */
export function keepGoing(pid: () => number): Disposable & { readonly gaveUp: boolean } {
  let stops = 0
  const look = () => {
    const pidfd = pid() ? findProcess(pid()) : undefined
    if (pidfd === undefined) return
    using _ = closing(pidfd)
    if (isStopped(pidfd)) send(pidfd, ++stops > MAX_STOPS ? 'SIGKILL' : 'SIGCONT')
  }
  const timer = setInterval(look, LOOK_INTERVAL)
  return {
    get gaveUp() {
      return stops > MAX_STOPS
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}

/** waitid(2): told once for each stop. */
function isStopped(pidfd: number): boolean {
  try {
    const info = new Uint8Array(128)
    now.waitid(P_PIDFD, pidfd, info, WSTOPPED | WNOHANG, null)
    return info.subarray(0, 4).some(Boolean) // si_signo
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'ECHILD') return false // it has ended, and is reaped
    throw error
  }
}
