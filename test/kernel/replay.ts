import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { Child, type Exit } from '../../lib/kernel/process/child.ts'
import { Gate } from '../../lib/kernel/tape/gate.ts'
import { launch, type Launched } from '../../lib/kernel/tape/launch.ts'
import { SyscallError } from '../../lib/kernel/syscalls/syscall-error.ts'
import { type Replayed, Tape } from '../../lib/kernel/tape/tape.ts'
import { play } from '../../lib/kernel/tape/visit.ts'

/** An empty folder, removed with the test. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'minilab-kernel-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

/** Launches a tape as it is and waits for the child's end: what was replayed, and how the child ended. */
export async function runToItsEnd(
  tape: Tape,
  flags = 0,
): Promise<{ replayed: Replayed[]; exit: Exit; pid: number }> {
  const launched = launch(tape, flags)
  const replayed = await launched.replayed
  return { replayed, exit: await new Child(launched.pid(), launched.pidfd()).exit, pid: launched.pid() }
}

/** The error that playing a tape ends with. With namespaces of its own (`flags`) it does not act on this machine. */
export async function refusal(tape: Tape, flags = 0): Promise<SyscallError> {
  const error = await play(tape, flags).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(SyscallError)
  return error as SyscallError
}

export interface Waiting extends Launched {
  gate: Gate
  child: Child
}

/** A child that waits at its gate, and then does what `record` says; ended with the test. */
export async function atGate(flags: number, record: (tape: Tape) => void = () => {}): Promise<Waiting> {
  const [gate, tape] = [new Gate(), new Tape()]
  gate.record(tape)
  record(tape)
  tape.exit_group(0)
  const launched = launch(tape, flags)
  const over = launched.replayed.finally(() => gate.closeChildEnd())
  over.catch(() => undefined) // whoever awaits `replayed` hears of it
  onTestFinished(async () => {
    gate.close() // end of file, where it still waits
    await over
  })
  expect(await gate.reached()).toBe(true)
  const child = new Child(launched.pid(), launched.pidfd())
  onTestFinished(async () => {
    child.kill('SIGKILL') // where it became another program
    await child.exit
  })
  return { ...launched, gate, child }
}
