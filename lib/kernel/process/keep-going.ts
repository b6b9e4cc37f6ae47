import { closing } from '../../common/descriptor.ts'
import { P_PIDFD, WNOHANG, WSTOPPED } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import { findProcess, send } from './signal.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'

const MAX_STOPS = 100
/** Polling interval: ms. */
const LOOK_INTERVAL = 10

/**
 * Continues a child of ours that is stopped before it has become another program. Until then it shares our memory, and every process
 * in the pid namespace that it has joined may stop it: signal(7), SIGSTOP. A child that is stopped again and again is killed.
 * `pid` returns the child's pid, once there is one. The caller disposes of this when the child has left our memory.
 *
 * SIGCHLD does not help: the kernel may deliver it to the thread that made the child, which waits in vfork(2) until the child
 * continues.
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

/** waitid(2): reports each stop once. */
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
