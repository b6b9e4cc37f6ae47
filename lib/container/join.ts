import {
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_VFORK,
  CLONE_VM,
  PR_SET_PDEATHSIG,
  SIGKILL,
  TIOCSCTTY,
} from '../kernel/syscalls/constants.ts'
import { Filled } from '../kernel/syscalls/arena.ts'
import { namespaceInode, type Namespace } from '../kernel/process/procfs.ts'
import { Gate } from '../kernel/tape/gate.ts'
import { Tape } from '../kernel/tape/tape.ts'
import { foreignNamespaces } from '../kernel/tape/visit.ts'
import type { Container, Plan } from './part.ts'
import type { Keeper } from './keeper.ts'
import { hardening } from './parts/hardening.ts'
import { scheduling } from './parts/scheduling.ts'
import { closeRest, handOnStdio, program, workdir } from './parts/process.ts'
import { has } from './spec.ts'
import { nothingMade } from './start.ts'
import { openNull, own, type Stdio } from './streams/streams.ts'

/** The kinds of namespaces that setns(2) can join here; only a process with its own memory may enter a time namespace. */
const JOINED: Namespace[] = ['user', 'pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup']

/** What joins a container: the plan of the container, with the process that is to be started. */
export interface Joining extends Plan {
  /** the container's first process, and a pidfd for it */
  first: { pid: number; pidfd: number }
  stdio: Stdio
  /** whether 0, 1 and 2 are a terminal that becomes the controlling one */
  terminal: boolean
  /** what makes the first child the parent of the program; without it, the first child ends, and we are the parent */
  keeper?: Keeper
}

/**
 * What a first child does that joins a container, and its child, which becomes the program. `pid` receives that child's pid. Both wait at
 * the gate: the first before it joins, the second before anything else.
 */
export function recordJoin(
  joining: Joining,
): Pick<Container, 'listener'> & { tape: Tape; gate: Gate; pid: Uint8Array } {
  const { first, stdio, terminal, diesWithUs, spec, keeper } = joining
  const container = nothingMade({ ...joining, joins: true })
  const { process } = spec
  const gate = new Gate()
  const pid = new Filled('pid of the program')
  const tape = new Tape()
  tape.part = 'exec'
  // in its own session: a signal to our process group cannot end it before the second child has become the program
  tape.setsid()
  if (diesWithUs) tape.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
  gate.record(tape)
  handOnStdio(tape, stdio)
  // what enters the container has nothing of our memory or our program in it: no tracer inside can reach them (CVE-2016-9962)
  gate.enterSecondStage(tape, [first.pidfd, ...(keeper?.needs ?? [])])
  const namespaces = foreignNamespaces(first.pid, JOINED)
  if (namespaces) tape.setns(first.pidfd, namespaces)
  const flags = CLONE_VM + CLONE_VFORK + CLONE_PARENT_SETTID
  if (keeper) keeper.makeChild(tape, flags, pid)
  else tape.become({ flags: flags + CLONE_PARENT, parentTid: pid })
  // it joins the container's cgroup here: a move is allowed where a limit on processes is reached, a clone there is not (kernel/cgroup/pids.c)
  gate.record(tape)
  tape.setsid()
  if (diesWithUs) tape.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) // a change of user clears it: program sets it again
  // setns(2) gives it the root of a mount namespace that it joins; without one, the container's root is that of its first process
  if (!has(spec, 'mount')) tape.chroot(`/proc/${first.pid}/root`)
  tape.umask(0o022)
  if (terminal) tape.ioctl(0, TIOCSCTTY, 0)
  openNull(tape, stdio)
  if (namespaceInode(first.pid, 'user') !== namespaceInode('self', 'user')) {
    tape.setresgid(0, 0, 0)
    tape.setresuid(0, 0, 0)
  }
  own(
    tape,
    process.user.uid,
    [0, 1, 2].filter(fd => stdio[fd] !== 'null'),
  )
  tape.part = program.name // so that an error with the directory or the program is reported as by `run`
  workdir.inside?.(tape, container, gate)
  scheduling.inside?.(tape, container, gate)
  // a program that dies with us needs the gate until its last calls
  if (!diesWithUs) closeRest(tape, container, gate)
  hardening.inside?.(tape, container, gate)
  program.inside?.(tape, container, gate)
  keeper?.become(tape, pid)
  return { tape, gate, pid, listener: container.listener }
}
