import { closeSync } from 'node:fs'
import { constants } from 'node:os'
import { isatty } from 'node:tty'
import {
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  F_SETFD,
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
import { thawTree } from '../kernel/cgroup/cgroup.ts'
import type { Child, Exit } from '../kernel/process/child.ts'
import { writeIdMaps } from '../kernel/process/id-maps.ts'
import { Gate } from '../kernel/tape/gate.ts'
import { hearSignals } from '../kernel/process/hear-signals.ts'
import type { Refused } from '../kernel/cgroup/make-cgroup.ts'
import { launchGated } from '../kernel/tape/launch-gated.ts'
import { needTasks, OURSELVES } from '../kernel/process/need-tasks.ts'
import { setLoopbackUp } from '../kernel/netlink/rtnetlink.ts'
import { Tape } from '../kernel/tape/tape.ts'
import { AGAIN, forwardNothing, second, startInit } from './init.ts'
import { handOnStdio } from '../container/parts/process.ts'
import type { SandboxFiles } from './read-only.ts'
import { type SandboxCgroup, noCgroupEnv } from './cgroup.ts'

const SIGKILL = 9

const IN_SANDBOX = {
  MINILAB_SANDBOX: '1',
  // iptables locks a file that only root may write; the rules here are nobody else's, so this one will do
  XTABLES_LOCKFILE: '/proc/self/ns/user',
}

/** What every sandbox has to itself. */
const NAMESPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC

export interface SandboxOptions {
  /** descriptors that it inherits besides 0–2 */
  keep?: number[]
  /** root keeps all ids, each mapped to itself; else there is one user, and that is root */
  allIds?: boolean
  /**
   * With a pid namespace, of which the program is the first process. `asRoot` without a user namespace, for the
   * machine's root: then nothing is refused there but what a container itself refuses.
   */
  machine?: 'asRoot' | 'rootless'
  /**
   * Nothing but a mount namespace, for root on the machine itself: what the program mounts by mistake reaches nobody, and
   * goes with it. It is not told that it is in a sandbox.
   */
  mountsOnly?: boolean
  /**
   * For code that may be wrong, or is so on purpose: all files are read-only but for this folder,
   * which has a copy. It has no disk, and what it may use is bounded.
   */
  files?: SandboxFiles
  /** the cgroup that it is in, with all that it starts, or why there is none; else it is in ours */
  cgroup?: SandboxCgroup | Refused | undefined
  /** in a session of its own, so without our terminal */
  session?: boolean
  /** what it has as stdin, stdout and stderr */
  stdio?: [number, number, number]
}

/** How large a file may become that is written in such a sandbox, in bytes: setrlimit(2), RLIMIT_FSIZE. */
export const LARGEST_FILE = 256 * 2 ** 20

/** A program in the sandbox. */
export type SandboxProcess = Pick<Child, 'pid' | 'kill' | 'exit'>

/**
 * The sandbox: a program (ourselves, again) in namespaces of its own, where an ordinary user is root over mounts, links and
 * names, and where nothing that goes wrong with them can reach the machine. What it makes there goes with it. The files
 * are the machine's all the same, unless `files` says otherwise.
 * Throws a SyscallError where there can be no user namespace.
 */
export async function startInSandbox(
  args: string[],
  env: NodeJS.ProcessEnv,
  options: SandboxOptions = {},
): Promise<SandboxProcess> {
  needTasks(OURSELVES)
  const { allIds = false, machine, files, cgroup } = options
  const all = '0 0 4294967295'
  const [uids, gids] = allIds ? [all, all] : [`0 ${process.getuid?.()} 1`, `0 ${process.getgid?.()} 1`]
  if (files) return startProtected(args, env, { ...options, files }, await startInit(files, uids, gids))
  if (options.mountsOnly) return startInOwnMounts(args, env, options)
  const tape = new Tape()
  const gate = new Gate()
  gate.record(tape)
  // a user namespace cuts the ties of its mounts to the machine's by itself: mount_namespaces(7)
  if (machine === 'asRoot') tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)
  // as on most machines, so that what does not make its mounts private is found out: mount_namespaces(7)
  tape.mount(null, '/', null, MS_REC | MS_SHARED, null)
  if (machine) tape.mount('proc', '/proc', 'proc', MS_NOSUID | MS_NODEV | MS_NOEXEC, null)
  forwardNothing(tape)
  become(tape, gate, args, env, options)
  const own = NAMESPACES + (machine ? CLONE_NEWPID : 0) - (machine === 'asRoot' ? CLONE_NEWUSER : 0)
  const { child, failed } = await launchGated(tape, gate, own, [
    async launched => {
      if (cgroup && 'leaf' in cgroup) cgroup.leaf.join(launched.pid())
      if (machine !== 'asRoot') writeIdMaps(launched.pid(), uids, gids)
      await setLoopbackUp(launched.pid())
    },
  ])
  if (!failed) return child
  await child.exit
  throw failed
}

async function startInOwnMounts(
  args: string[],
  env: NodeJS.ProcessEnv,
  options: SandboxOptions,
): Promise<SandboxProcess> {
  const tape = new Tape()
  const gate = new Gate()
  gate.record(tape)
  // mount_namespaces(7): a slave still sees what the machine mounts and unmounts, and passes nothing on to it
  tape.mount(null, '/', null, MS_REC | MS_SLAVE, null)
  become(tape, gate, args, env, options)
  const { child, failed } = await launchGated(tape, gate, CLONE_NEWNS, [() => {}])
  if (!failed) return child
  await child.exit
  throw failed
}

/** The program as a second process, so that it is not the one that orphans fall to, and signals have their default effect. */
async function startProtected(
  args: string[],
  env: NodeJS.ProcessEnv,
  options: SandboxOptions & { files: SandboxFiles },
  init: Child,
): Promise<SandboxProcess> {
  const { cgroup } = options.files
  const tape = new Tape()
  const gate = new Gate()
  const pid = new Uint8Array(4)
  gate.record(tape)
  tape.setns(init.pidfd, NAMESPACES + CLONE_NEWPID)
  tape.become({ flags: AGAIN, parentTid: pid })
  tape.attempt.chdir(process.cwd()) // setns(2): one's working directory is the root now
  tape.prlimit64(0, RLIMIT_FSIZE, { cur: LARGEST_FILE, max: LARGEST_FILE }, null)
  become(tape, gate, args, env, { ...options, cgroup })
  try {
    const { child: first, failed } = await launchGated(tape, gate, 0, [
      launched => {
        if ('leaf' in cgroup) cgroup.leaf.join(launched.pid())
      },
    ])
    const child = await second(first, pid, failed)
    return {
      pid: child.pid,
      kill: signal => {
        const sent = child.kill(signal)
        thaw()
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
    thaw()
    await init.exit
  }

  /** What is frozen there would not die. */
  function thaw(): void {
    if ('around' in cgroup) for (const { path } of cgroup.around.folders) thawTree(path)
  }
}

/** The last calls: the program takes the child's place. */
function become(
  tape: Tape,
  gate: Gate,
  args: string[],
  env: NodeJS.ProcessEnv,
  { keep = [], cgroup, stdio, mountsOnly = false, session = false }: SandboxOptions,
): void {
  if (session) tape.setsid()
  handOnStdio(tape, stdio)
  for (const fd of keep) tape.fcntl(fd, F_SETFD, 0)
  tape.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) // what is killed with SIGKILL cannot pass it on
  gate.recordLife(tape)
  const told = cgroup && 'reason' in cgroup ? noCgroupEnv(cgroup) : {}
  const variables = Object.entries({ ...env, ...(mountsOnly ? {} : IN_SANDBOX), ...told })
  tape.execve(
    args[0] ?? '',
    args,
    variables.map(([name, value]) => `${name}=${value ?? ''}`),
  )
}

const { SIGINT, SIGQUIT, SIGTSTP } = constants.signals
/** What a terminal sends at Ctrl-C, Ctrl-\\ and Ctrl-Z: termios(3). */
const KEYS = new Set<number>([SIGINT, SIGQUIT, SIGTSTP])

/** Runs ourselves in the sandbox and passes every signal on; resolves to how that ended. */
export async function runInSandbox(
  args: string[],
  env: NodeJS.ProcessEnv,
  options: SandboxOptions = {},
): Promise<Exit> {
  let child: SandboxProcess | undefined
  const early: number[] = []
  const hasTerminal = isatty(0) && !options.session
  using _ = hearSignals(signal => {
    // keys of a terminal reach the whole foreground group, so the sandbox has these already: we only must not die first
    if (hasTerminal && KEYS.has(signal)) return
    if (child) child.kill(signal)
    else early.push(signal)
  })
  child = await startInSandbox(args, env, options)
  for (const fd of options.keep ?? []) closeSync(fd) // the sandbox has its copies; ours would keep a port taken and a pipe open
  for (const signal of early) child.kill(signal)
  return await child.exit
}
