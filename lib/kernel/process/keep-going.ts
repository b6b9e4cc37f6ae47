import { closing } from '../../common/descriptor.ts'
import { isStopped } from './procfs.ts'
import { findProcess, send } from './signal.ts'

const MAX_STOPS = 100
/** Polling interval: ms. */
const LOOK_INTERVAL = 10

/**
 * Continues a child, or its child, that is stopped before it has become another program. Until then it shares our memory, and every process
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
    if (isStopped(pid())) send(pidfd, ++stops > MAX_STOPS ? 'SIGKILL' : 'SIGCONT')
  }
  const timer = setInterval(look, LOOK_INTERVAL)
  return {
    get gaveUp() {
      return stops > MAX_STOPS
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
