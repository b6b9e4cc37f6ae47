import { Child } from '../process/child.ts'
import { failure } from '../syscalls/failure.ts'
import type { Gate } from './gate.ts'
import { type Launched, launch } from './launch.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'
import type { Replayed, Tape } from './tape.ts'

/** A child that has left our memory: by its execve, by its exit, or because a call was refused. */
export interface Arrived {
  child: Child
  /** the clone3 that made it, by us */
  clone: Replayed
  /** what it then did itself */
  tape: Replayed[]
  /** the call that was refused; the child is then ending, or has ended */
  failed: SyscallError | undefined
}

/**
 * Starts a child whose tape has gates, and does our share of the work while it waits at each of them. Where our share
 * fails, the child is ended, and the error thrown; where clone3 is refused, its SyscallError.
 */
export async function launchGated(
  tape: Tape,
  gate: Gate,
  flags: number,
  shares: readonly ((launched: Launched) => void | Promise<void>)[],
): Promise<Arrived> {
  const launched = begin(tape, gate, flags)
  let child: Child | undefined
  // where clone3 is refused nobody comes to the gate: the end of file is our cue to look at the reason
  const over = launched.replayed.catch(() => undefined).finally(() => gate.closeChildEnd())
  try {
    for (const share of shares) {
      if (!(await gate.reached())) break
      child ??= new Child(launched.pid(), launched.pidfd())
      await share(launched)
      gate.pass()
    }
    const replayed = await launched.replayed
    child ??= new Child(launched.pid(), launched.pidfd())
    return { child, clone: launched.clone, tape: replayed, failed: failure(tape, replayed) }
  } catch (error) {
    child?.kill('SIGKILL')
    await child?.exit
    // a child that had ended by itself is why our share failed, or nobody was left to pass the gate: that is the reason to give
    const failed = child && failure(tape, await launched.replayed)
    const byUs = failed?.code === 'EINTR' && !(error instanceof SyscallError && error.code === 'EPIPE')
    throw failed && !byUs ? failed : error
  } finally {
    gate.close() // a child that still waits there ends by it
    await over
    tape.second?.stage[Symbol.dispose]()
  }
}

/** Where nothing could be launched, the gate has nobody to wait for. */
function begin(tape: Tape, gate: Gate, flags: number): Launched {
  try {
    return launch(tape, flags)
  } catch (error) {
    gate.abandon()
    throw error
  }
}
