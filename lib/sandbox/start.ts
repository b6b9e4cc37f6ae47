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
import { AGAIN, forwardNothing, second, startInit } from './init.ts'
import { handOnStdio } from '../container/parts/process.ts'
import { joinCgroup, NO_CGROUP, thawCgroup } from './cgroup.ts'
import { idMaps, NAMESPACES, type Sandbox, type SandboxOf } from './sandbox.ts'

const SIGKILL = 9

const IN_SANDBOX = {
  MINILAB_SANDBOX: '1',
  // iptables locks a file that only root may write; the rules here are only ours, so this file will do
  XTABLES_LOCKFILE: '/proc/self/ns/user',
}

/** A program, ourselves as a rule, and what it gets. */
export interface Program {
  args: string[]
  env: NodeJS.ProcessEnv
  /** descriptors that it inherits besides 0–2 */
  keep?: number[]
  /** what we tell it, where it is ourselves */
  told?: Told
  /** what it has as stdin, stdout and stderr: ours, unless given */
  stdio?: [number, number, number]
  /** it starts a session: kill(0) in it does not reach our process group, and /dev/tty is not our terminal. Always so in `host` */
  ownSession?: boolean
}

/** How large a file may become that is written in a `protected` sandbox, in bytes: setrlimit(2), RLIMIT_FSIZE. */
export const LARGEST_FILE = 256 * 2 ** 20

/** A program in a sandbox. */
export type SandboxProcess = Pick<Child, 'pid' | 'kill' | 'exit'>

/**
 * Starts a program in a sandbox: see `Sandbox` for what each kind has. Throws a SyscallError where there can be no user
 * namespace.
 */
export async function startInSandbox(sandbox: Sandbox, program: Program): Promise<SandboxProcess> {
  needTasks(OURSELVES)
  const told = { ...program.told, ...lacks(sandbox) }
  if (Object.keys(told).length === 0) return start(sandbox, program)
  using handed = new Handover(told)
  const { env, keep = [] } = program
  return await start(sandbox, { ...program, env: { ...env, ...handed.env() }, keep: [...keep, handed.fd] })
}

/** What a program in there cannot find out by itself. */
function lacks(sandbox: Sandbox): Told {
  return 'cgroup' in sandbox && 'reason' in sandbox.cgroup ? NO_CGROUP.tell(sandbox.cgroup) : {}
}

async function start(sandbox: Sandbox, program: Program): Promise<SandboxProcess> {
  if (sandbox.kind === 'protected') return startProtected(sandbox, program)
  const tape = new Tape()
  const gate = new Gate()
  gate.record(tape)
  if (sandbox.kind === 'mounts') {
    // mount_namespaces(7): a slave still sees what the machine mounts and unmounts, and passes nothing on to it
    tape.mount(null, '/', null, MS_REC | MS_SLAVE, null)
    become(tape, gate, sandbox, program)
    return launch(tape, gate, NAMESPACES.mounts, () => {})
  }
  const asRoot = sandbox.kind === 'host' && sandbox.root
  // a user namespace cuts the ties of its mounts to the machine's by itself: mount_namespaces(7)
  if (asRoot) tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)
  // as on most machines, so that what does not make its mounts private is found out: mount_namespaces(7)
  tape.mount(null, '/', null, MS_REC | MS_SHARED, null)
  if (sandbox.kind === 'host') tape.mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC, null)
  forwardNothing(tape)
  become(tape, gate, sandbox, program)
  const flags = NAMESPACES[sandbox.kind] - (asRoot ? CLONE_NEWUSER : 0)
  return launch(tape, gate, flags, async pid => {
    if (sandbox.kind === 'host') joinCgroup(sandbox.cgroup, pid)
    if (!asRoot) writeIdMaps(pid, ...idMaps(false))
    await setLoopbackUp(pid)
  })
}

/** Launches a tape with one gate, at which `share` is done outside. */
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

/** The program as a second process, so that it is not the one that orphans fall to, and signals have their default effect. */
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
      tape.become({ flags: AGAIN, parentTid: pid })
      tape.attempt.chdir(process.cwd()) // setns(2): the working directory is the root now
      tape.prlimit64(0, RLIMIT_FSIZE, { cur: LARGEST_FILE, max: LARGEST_FILE }, null)
      become(tape, gate, sandbox, program)
    })
    const { child: first, failed } = await launchGated(tape, gate, 0, [
      launched => joinCgroup(cgroup, launched.pid()),
    ])
    const child = await second(first, pid, failed)
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

  /** All that still runs there ends with it. */
  async function endInit(): Promise<void> {
    init.kill('SIGKILL')
    thawCgroup(cgroup)
    await init.exit
  }
}

/** The last calls: the program takes the child's place. */
function become(tape: Tape, gate: Gate, sandbox: Sandbox, program: Program): void {
  const { args, env, keep = [], stdio, ownSession } = program
  handOnStdio(tape, stdio)
  for (const fd of keep) tape.fcntl(fd, F_SETFD, 0)
  if (ownSession || sandbox.kind === 'host') tape.setsid()
  // session-keyring(7): a child inherits it, with all that the caller's keys open. Some kernels have no keys, some containers no keyctl(2)
  if (sandbox.kind !== 'mounts') tape.attempt.keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0)
  tape.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) // what is killed with SIGKILL cannot pass it on
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
    // keys of a terminal reach the whole foreground group, so the program has these already: we only must not die first
    if (sharesTerminal && KEYS.has(signal)) return
    if (child) child.kill(signal)
    else early.push(signal)
  })
  child = await startInSandbox(sandbox, program)
  for (const fd of program.keep ?? []) closeSync(fd) // the program has its copies; ours would keep a port taken and a pipe open
  for (const signal of early) child.kill(signal)
  return await child.exit
}
