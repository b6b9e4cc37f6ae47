import { closeSync } from 'node:fs'
import { CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWUSER, F_SETFD, PR_SET_PDEATHSIG } from '../kernel/constants.ts'
import { Child, type Exit } from '../kernel/child.ts'
import { writeControl } from '../kernel/control-file.ts'
import { failure } from '../kernel/failure.ts'
import { Gate } from '../kernel/gate.ts'
import { launch } from '../kernel/launch.ts'
import { openRtnetlinkIn } from '../kernel/rtnetlink.ts'
import { Tape } from '../kernel/tape.ts'
import { handOnStdio } from './program.ts'

const SIGKILL = 9

const ON_BENCH = {
  MINILAB_BENCH: '1',
  // iptables locks a file that only root may write; the rules here are nobody else's, so this one will do
  XTABLES_LOCKFILE: '/proc/self/ns/user',
}

/**
 * The bench: a program (ourselves, again) in a user, mount and network namespace of its own, where an ordinary user is
 * root over links and routes. What it makes there goes with it. `keep` are descriptors that it inherits besides 0–2.
 * Throws a SyscallError where there can be no user namespace.
 */
export async function startOnBench(
  args: string[],
  env: NodeJS.ProcessEnv,
  keep: number[] = [],
): Promise<Child> {
  const tape = new Tape()
  handOnStdio(tape)
  for (const fd of keep) tape.fcntl(fd, F_SETFD, 0)
  const gate = new Gate()
  gate.record(tape)
  tape.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) // what is killed with SIGKILL cannot pass it on
  const variables = Object.entries({ ...env, ...ON_BENCH }).map(([name, value]) => `${name}=${value ?? ''}`)
  tape.execve(args[0] ?? '', args, variables)
  const launched = launch(tape, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET)
  // where clone3 is refused nobody comes to the gate: the end of file is our cue to look at the reason
  const over = launched.replayed.catch(() => undefined).finally(() => gate.closeChildEnd())
  try {
    if (await gate.reached()) {
      await setUp(launched.pid())
      gate.pass()
    }
    const failed = failure(tape, await launched.replayed)
    const child = new Child(launched.pid(), launched.pidfd())
    if (!failed) return child
    await child.exit
    throw failed
  } finally {
    gate.close() // a child that still waits there ends by it
    await over
  }
}

/** What only its parent can do for it: its only user is root there, and its loopback link is up. */
async function setUp(pid: number): Promise<void> {
  // user_namespaces(7): without CAP_SETGID a gid_map is accepted only once setgroups is denied
  if (process.getuid?.() !== 0) writeControl(`/proc/${pid}/setgroups`, 'deny')
  writeControl(`/proc/${pid}/uid_map`, `0 ${process.getuid?.()} 1`)
  writeControl(`/proc/${pid}/gid_map`, `0 ${process.getgid?.()} 1`)
  const network = await openRtnetlinkIn(pid)
  try {
    network.setUp('lo')
  } finally {
    network.close()
  }
}

/** Runs ourselves on the bench and passes signals on; resolves to how that ended. */
export async function runOnBench(args: string[], env: NodeJS.ProcessEnv, keep: number[] = []): Promise<Exit> {
  let child: Child | undefined
  const early: NodeJS.Signals[] = []
  const passOn = (signal: NodeJS.Signals) => {
    // Ctrl-C at a terminal reaches the whole foreground group, so the bench has it already: we only must not die first
    if (signal === 'SIGINT' && process.stdin.isTTY) return
    if (child) child.kill(signal)
    else early.push(signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
  for (const signal of signals) process.on(signal, passOn)
  try {
    child = await startOnBench(args, env, keep)
    for (const fd of keep) closeSync(fd) // the bench has its copies; ours would keep a port taken and a pipe open
    for (const signal of early) child.kill(signal)
    return await child.exit
  } finally {
    for (const signal of signals) process.off(signal, passOn)
  }
}
