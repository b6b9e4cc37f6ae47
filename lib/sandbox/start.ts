import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import {
  CLONE_NEWUSER,
  F_SETFD,
  KEYCTL_JOIN_SESSION_KEYRING,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  PR_SET_PDEATHSIG,
  RLIMIT_FSIZE,
  SIGKILL,
} from '../kernel/syscalls/constants.ts'
import type { Child, Exit } from '../kernel/process/child.ts'
import { writeIdMaps } from '../kernel/process/id-maps.ts'
import { Gate } from '../kernel/tape/gate.ts'
import { Handover, type Told } from '../kernel/process/handed.ts'
import { hearSignals } from '../kernel/process/hear-signals.ts'
import { launchGated } from '../kernel/tape/launch-gated.ts'
import { needTasks, OURSELVES } from '../kernel/process/need-tasks.ts'
import { setLoopbackUp } from '../kernel/netlink/rtnetlink.ts'
import { Tape } from '../kernel/tape/tape.ts'
import { CLONE_AS_SIBLING, disableForwarding, secondChild, startInit } from './init.ts'
import { handOnStdio } from '../container/parts/process.ts'
import { joinCgroup, NO_CGROUP, thawCgroup } from './cgroup.ts'
import { idMaps, NAMESPACES, type Sandbox, type SandboxOf } from './sandbox.ts'

const IN_SANDBOX = {
  MINILAB_SANDBOX: '1',
  // iptables wants to lock a file that only root may write to. These rules are ours alone, so any file that can be opened will
  // do
  XTABLES_LOCKFILE: '/proc/self/ns/user',
}

/** A program (usually minilab itself) and what it is started with. */
export interface Program {
  args: string[]
  env: NodeJS.ProcessEnv
  /** descriptors that it inherits besides 0–2 */
  keep?: number[]
  /** what we tell it, if it is minilab */
  told?: Told
  /** its stdin, stdout and stderr; ours, unless given */
  stdio?: [number, number, number]
  /** makes it a session leader: its kill(0) does not reach our process group, and it has no terminal. Always so in `host` */
  ownSession?: boolean
}

/** The largest file that can be written in a `protected` sandbox, in bytes: setrlimit(2), RLIMIT_FSIZE. */
export const LARGEST_FILE = 256 * 2 ** 20

/** A program in a sandbox. */
export type SandboxProcess = Pick<Child, 'pid' | 'kill' | 'exit'>

/** Starts a program in a sandbox: see `Sandbox` for the kinds. Throws a SyscallError where no user namespace can be made. */
export async function startInSandbox(sandbox: Sandbox, program: Program): Promise<SandboxProcess> {
  needTasks(OURSELVES)
  const told = { ...program.told, ...factsFromOutside(sandbox) }
  if (Object.keys(told).length === 0) return start(sandbox, program)
  using handed = new Handover(told)
  const { env, keep = [] } = program
  return await start(sandbox, { ...program, env: { ...env, ...handed.env() }, keep: [...keep, handed.fd] })
}

/** What the program must be told because it cannot find it out: why there is no cgroup. */
function factsFromOutside(sandbox: Sandbox): Told {
  return 'cgroup' in sandbox && 'reason' in sandbox.cgroup ? NO_CGROUP.tell(sandbox.cgroup) : {}
}

async function start(sandbox: Sandbox, program: Program): Promise<SandboxProcess> {
  if (sandbox.kind === 'protected') return startProtected(sandbox, program)
  const tape = new Tape()
  const gate = new Gate()
  gate.record(tape)
  if (sandbox.kind === 'mounts') {
    // mount_namespaces(7): a slave receives what the machine mounts and unmounts, and passes nothing back
    tape.mount(null, '/', null, MS_REC | MS_SLAVE, null)
    become(tape, gate, sandbox, program)
    return launch(tape, gate, NAMESPACES.mounts, () => {})
  }
  const asRoot = sandbox.kind === 'host' && sandbox.root
  // with a user namespace the kernel cuts this propagation itself: mount_namespaces(7)
  if (asRoot) tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)
  // shared as on most machines, to reveal a container that does not make its mounts private: mount_namespaces(7)
  tape.mount(null, '/', null, MS_REC | MS_SHARED, null)
  if (sandbox.kind === 'host') tape.mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC, null)
  disableForwarding(tape)
  become(tape, gate, sandbox, program)
  const flags = NAMESPACES[sandbox.kind] - (asRoot ? CLONE_NEWUSER : 0)
  return launch(tape, gate, flags, async pid => {
    if (sandbox.kind === 'host') joinCgroup(sandbox.cgroup, pid)
    if (!asRoot) writeIdMaps(pid, ...idMaps(false))
    await setLoopbackUp(pid)
  })
}

/** Launches a tape with one gate; `share` runs outside while the child waits there. */
async function launch(
  tape: Tape,
  gate: Gate,
  flags: number,
  share: (pid: number) => void | Promise<void>,
): Promise<Child> {
  const { child, failed } = await launchGated(tape, gate, flags, [launched => share(launched.pid())])
  if (!failed) return child
  await child.exit
  throw failed
}

/** Starts the program as a second process beside an init: it need not adopt orphans, and signals have their default effect. */
async function startProtected(sandbox: SandboxOf<'protected'>, program: Program): Promise<SandboxProcess> {
  const { cgroup } = sandbox
  const init = await startInit(sandbox)
  try {
    const tape = new Tape()
    const gate = new Gate()
    const pid = new Uint8Array(4)
    gate.orAbandon(() => {
      gate.record(tape)
      tape.setns(init.pidfd, NAMESPACES.protected)
      tape.become({ flags: CLONE_AS_SIBLING, parentTid: pid })
      tape.attempt.chdir(process.cwd()) // setns(2): joining a mount namespace sets the working directory to its root
      tape.prlimit64(0, RLIMIT_FSIZE, { cur: LARGEST_FILE, max: LARGEST_FILE }, null)
      become(tape, gate, sandbox, program)
    })
    const { child: first, failed } = await launchGated(tape, gate, 0, [
      launched => joinCgroup(cgroup, launched.pid()),
    ])
    const child = await secondChild(first, pid, failed)
    return {
      pid: child.pid,
      kill: signal => {
        const sent = child.kill(signal)
        thawCgroup(cgroup)
        return sent
      },
      exit: child.exit.then(async exit => (await endInit(), exit)),
    }
  } catch (error) {
    await endInit()
    throw error
  }

  /** Ends init; the kernel then kills everything else in the sandbox. */
  async function endInit(): Promise<void> {
    init.kill('SIGKILL')
    thawCgroup(cgroup)
    await init.exit
  }
}

/** Records the last calls, up to the execve of the program. */
function become(tape: Tape, gate: Gate, sandbox: Sandbox, program: Program): void {
  const { args, env, keep = [], stdio, ownSession } = program
  handOnStdio(tape, stdio)
  for (const fd of keep) tape.fcntl(fd, F_SETFD, 0)
  if (ownSession || sandbox.kind === 'host') tape.setsid()
  // session-keyring(7): without this the program inherits the caller's keys. Some kernels have no keys, some containers forbid
  // keyctl(2)
  if (sandbox.kind !== 'mounts') tape.attempt.keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0)
  tape.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) // if we are killed with SIGKILL, we cannot pass that on
  gate.recordLife(tape)
  const variables = Object.entries({ ...env, ...(sandbox.kind === 'mounts' ? {} : IN_SANDBOX) })
  tape.execve(
    args[0] ?? '',
    args,
    variables.map(([name, value]) => `${name}=${value ?? ''}`),
  )
}

const { SIGINT, SIGQUIT, SIGTSTP } = constants.signals
/** What a terminal sends at Ctrl-C, Ctrl-\\ and Ctrl-Z: termios(3). */
const KEYS = new Set<number>([SIGINT, SIGQUIT, SIGTSTP])

/** Runs a program in a sandbox and passes every signal on; resolves to how it ended. */
export async function runInSandbox(sandbox: Sandbox, program: Program): Promise<Exit> {
  let child: SandboxProcess | undefined
  const early: number[] = []
  const sharesTerminal = isatty(0) && sandbox.kind !== 'host'
  using _ = hearSignals(signal => {
    // the terminal sends these to the whole foreground group, so the program has them already; we must only not die first
    if (sharesTerminal && KEYS.has(signal)) return
    if (child) child.kill(signal)
    else early.push(signal)
  })
  child = await startInSandbox(sandbox, program)
  for (const fd of program.keep ?? []) closeSync(fd) // the program has its copies; ours would keep a port in use or a pipe open
  for (const signal of early) child.kill(signal)
  return await child.exit
}
