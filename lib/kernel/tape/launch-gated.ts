import { Child } from '../process/child.ts'
import { failure } from '../syscalls/failure.ts'
import type { Gate } from './gate.ts'
import { type Launched, launch } from './launch.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'
import type { Replayed, Tape } from './tape.ts'

/** How long a worker of libuv may take to begin with a launch: ms. */
const BEGIN_LIMIT = 1000

/** A child that has left our memory: by its execve, by its exit, or because a call was refused. */
export interface Arrived {
  child: Child
  /** the clone3 that made it, called by us */
  clone: Replayed
  /** the calls that it then made itself */
  tape: Replayed[]
  /** the refused call; the child is then ending, or has ended */
  failed: SyscallError | undefined
}

/**
 * Starts a child whose tape has gates, and does our work while it waits at each of them. If our work
 * fails, it kills the child, and throws the error; if clone3 is refused, it throws that SyscallError.
 */
export async function launchGated(
  tape: Tape,
  gate: Gate,
  flags: number,
  shares: readonly ((launched: Launched, child: Child) => void | Promise<void>)[],
): Promise<Arrived> {
  const launched = begin(tape, gate, flags)
  let child: Child | undefined
  // if clone3 is refused no child comes to the gate: at end of file we look for the reason
  const over = launched.replayed.catch(() => undefined).finally(() => gate.closeChildEnd())
  try {
    for (const share of shares) {
      if (!(await gate.reached())) break
      child ??= new Child(launched.pid(), launched.pidfd())
      await share(launched, child)
      if (!gate.pass()) break
    }
    const replayed = await launched.replayed
    child ??= new Child(launched.pid(), launched.pidfd())
    const failed = failure(tape, replayed) ?? launched.asideFailure()
    return { child, clone: launched.clone, tape: replayed, failed }
  } catch (error) {
    child?.kill('SIGKILL')
    gate.close() // its own child, which may wait here, ends by that, and is waited for by `replayed`
    await child?.exit
    // if the child had ended by itself, so that our work failed or no child was left to pass the gate, report that reason
    const failed = child && failure(tape, await launched.replayed)
    const byUs = failed?.code === 'EINTR' || (failed?.call === 'read' && failed.code === 'EPIPE')
    throw failed && !byUs ? failed : error
  } finally {
    gate.close() // a child that still waits there ends because of this
    await over
    gate.closeSecondStage()
  }
}

/**
 * Returns when the child has its copies of our descriptors. Otherwise Node's `spawn` right afterwards could block for ever: it reads from
 * a pipe until its new process executes the program. The child, made meanwhile, would hold the other end, and wait for us at its gate.
 * If nothing could be launched, no child will come to the gate.
 */
function begin(tape: Tape, gate: Gate, flags: number): Launched {
  try {
    const launched = launch(tape, flags)
    // a clone3 that is refused makes no event; and without memory the worker may never begin
    for (let waited = 0; !launched.hasCloned() && (launched.hasBegun() || waited < BEGIN_LIMIT); waited++)
      gate.awaitArrival(1)
    return launched
  } catch (error) {
    gate.abandon()
    throw error
  }
}
