import { Child } from '../kernel/child.ts'
import { failure } from '../kernel/failure.ts'
import { Gate } from '../kernel/gate.ts'
import { launch } from '../kernel/launch.ts'
import { type Replayed, Tape } from '../kernel/tape.ts'
import { commandError } from './command-error.ts'
import type { Container, Part } from './part.ts'
import { handOnStdio } from './program.ts'
import { takeTerminal } from './terminal.ts'

/** A container that runs: its first process, and the system calls by which it came to be. */
export interface Started {
  container: Container
  child: Child
  /** the clone3 that made it, by us */
  clone: Replayed
  /** what it then did itself */
  tape: Replayed[]
}

/**
 * A container from its parts, in the order in which the child shall apply them. The parts of all chapters, in the
 * order that works: namespaces, layers, root, limits, network, hardening, program.
 */
export function compose(parts: readonly Part[]) {
  return {
    /** The child's system calls, recorded: what `--dry-run` prints. Nothing is made, nothing is started. */
    record(container: Container, gate: Gate): { flags: number; tape: Tape } {
      const tape = new Tape()
      tape.part = 'process'
      handOnStdio(tape, container.stdio)
      gate.record(tape)
      for (const part of parts) {
        tape.part = part.name
        part.inside?.(tape, container, gate)
      }
      return { tape, flags: parts.reduce((flags, part) => flags | (part.flags?.(container.spec) ?? 0), 0) }
    },

    /**
     * Makes the container and starts its program; resolves at the child's execve.
     * Throws a SyscallError where a call is refused; the child is then gone, and what was made on the host is in the ledger.
     */
    async start(container: Container): Promise<Started> {
      return oneAtATime(async () => {
        for (const part of parts) await part.prepare?.(container)
        const gate = new Gate()
        const { tape, flags } = this.record(container, gate)
        return atTheGate(container, parts, gate, tape, flags)
      })
    },
  }
}

async function atTheGate(
  container: Container,
  parts: readonly Part[],
  gate: Gate,
  tape: Tape,
  flags: number,
): Promise<Started> {
  const launched = launch(tape, flags)
  let child: Child | undefined
  // where clone3 is refused nobody comes to the gate: the end of file is our cue to look at the reason
  const refused = launched.replayed.catch(() => undefined).finally(() => gate.closeChildEnd())
  try {
    const waits = await gate.reached()
    if (launched.pid()) child = new Child(launched.pid(), launched.pidfd())
    if (waits) {
      for (const part of parts) await part.attach?.(container, launched.pid())
      gate.pass()
      if (container.terminal && (await gate.reached())) {
        takeTerminal(container.terminal, launched)
        gate.pass()
      }
    }
    const replayed = await launched.replayed
    const failed = failure(tape, replayed)
    if (failed?.call === 'execve') throw commandError(container.spec.process.args[0] ?? '', replayed, failed)
    if (failed || !child) throw failed ?? new Error('the child was lost before it reached the gate')
    return { container, child, clone: launched.clone, tape: replayed }
  } catch (error) {
    child?.kill('SIGKILL')
    await child?.exit
    throw error
  } finally {
    gate.close()
    await refused
  }
}

// A child at its gate shares our memory: one that changes its credentials marks the memory undumpable, and then another's
// uid_map could not be written. So containers of one process start one after the other.
let last: Promise<unknown> = Promise.resolve()
function oneAtATime<T>(task: () => Promise<T>): Promise<T> {
  const run = last.then(task)
  last = run.catch(() => undefined) // whoever started it hears of the failure
  return run
}
