import { CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER } from '../kernel/constants.ts'
import { Child, type Exit } from '../kernel/child.ts'
import { writeControl } from '../kernel/control-file.ts'
import { failure } from '../kernel/failure.ts'
import { Gate } from '../kernel/gate.ts'
import { launch } from '../kernel/launch.ts'
import { openRtnetlinkIn } from '../kernel/rtnetlink.ts'
import { Tape } from '../kernel/tape.ts'
import { handOnStdio } from './program.ts'

/**
 * The bench: a program (ourselves, again) in a user, mount and network namespace of its own, where an ordinary user is
 * root over links and routes. What it makes there goes with it. `keep` are descriptors that it inherits besides 0–2.
 */
export async function startOnBench(
  args: string[],
  env: NodeJS.ProcessEnv,
  keep: number[] = [],
): Promise<Child> {
  const tape = new Tape()
  handOnStdio(tape)
  for (const fd of keep) tape.fcntl(fd, 2, 0)
  const gate = new Gate()
  gate.record(tape)
  const variables = Object.entries({ ...env, MINILAB_BENCH: '1' }).map(
    ([name, value]) => `${name}=${value ?? ''}`,
  )
  tape.execve(args[0] ?? '', args, variables)
  const launched = launch(tape, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET)
  const over = launched.replayed.catch(() => undefined).finally(() => gate.closeChildEnd())
  if (await gate.reached()) {
    const pid = launched.pid()
    if (process.getuid?.() !== 0) writeControl(`/proc/${pid}/setgroups`, 'deny')
    writeControl(`/proc/${pid}/uid_map`, `0 ${process.getuid?.()} 1`)
    writeControl(`/proc/${pid}/gid_map`, `0 ${process.getgid?.()} 1`)
    const network = await openRtnetlinkIn(pid)
    network.setUp('lo')
    network.close()
    gate.pass()
  }
  const failed = failure(tape, await launched.replayed)
  await over
  gate.close()
  if (failed) throw failed
  return new Child(launched.pid(), launched.pidfd())
}

/** Runs ourselves on the bench and passes signals on; resolves to how that ended. */
export async function runOnBench(args: string[], env: NodeJS.ProcessEnv, keep: number[] = []): Promise<Exit> {
  const child = await startOnBench(args, env, keep)
  const forward = (signal: NodeJS.Signals) => void child.kill(signal)
  // Ctrl-C at a terminal reaches the whole foreground group, so the bench hears of it by itself: we only must not die first
  process.on('SIGINT', () => {})
  process.on('SIGTERM', forward)
  process.on('SIGHUP', forward)
  return child.exit
}
