import { certain } from '../common/certain.ts'
import { closing, type Descriptor } from '../common/descriptor.ts'
import { Child } from '../kernel/process/child.ts'
import { diagnose } from '../kernel/syscalls/diagnose.ts'
import {
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_VFORK,
  CLONE_VM,
  F_DUPFD_CLOEXEC,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
} from '../kernel/syscalls/constants.ts'
import { errnoNumber } from '../common/errno.ts'
import { MinilabError } from '../common/errors.ts'
import { Gate } from '../kernel/tape/gate.ts'
import type { Launched } from '../kernel/tape/launch.ts'
import { launchGated } from '../kernel/tape/launch-gated.ts'
import { int32s, now } from '../kernel/syscalls/now.ts'
import { ended, send } from '../kernel/process/signal.ts'
import { SyscallError } from '../kernel/syscalls/syscall-error.ts'
import { Later, type Op, type Replayed, Tape } from '../kernel/tape/tape.ts'
import type { Container, Part, Plan } from './part.ts'
import { joinFirst } from './parts/namespaces.ts'
import { handOnStdio } from './parts/process.ts'
import { type IdMaps, makeIdMaps, mapIds } from './rootfs/idmapped.ts'
import { DONE_IF_HELD, refuseUndone } from './spec-check.ts'
import { startError } from './start-error.ts'
import { takeTerminal } from './parts/terminal.ts'

/** A running container: our child, which is its first process or its monitor, and the system calls that made it. */
export interface Started {
  container: Container
  child: Child
  /** the clone3 that made it, called by us */
  clone: Replayed
  /** the calls that it then made itself */
  tape: Replayed[]
}

/**
 * Records what the child of a container does, from its parts in the order in which it applies them, and the CLONE_NEW* flags
 * that they need: `--dry-run` prints this. Nothing is made or started. The order of all chapters that works:
 * namespaces, layers, root, limits, network, hardening, program.
 */
export function recordParts(
  parts: readonly Part[],
  container: Container,
  gate: Gate,
): { flags: number; tape: Tape } {
  const { spec, stdio, monitor } = container
  refuseUndone(spec, container.held ? DONE_IF_HELD : [])
  const flags = parts.reduce((all, part) => all | (part.flags?.(spec) ?? 0), 0)
  const tape = new Tape()
  monitor?.record(tape, gate, flags)
  const joins = !monitor && joinFirst(tape, spec)
  if (joins) container.inner = becomeInner(tape, gate, flags)
  tape.part = 'process'
  tape.setsid() // otherwise /dev/tty is our terminal, which TIOCSTI could type into, and kill(0) would reach the process that started us
  tape.umask(0o022)
  handOnStdio(tape, stdio)
  gate.record(tape)
  const starts = parts.map(part => {
    const start = tape.ops.length
    tape.part = part.name
    part.inside?.(tape, container, gate)
    return start
  })
  const end = tape.ops.findIndex(endsRights)
  const last = starts.findLast(start => start <= end)
  tape.part = 'process'
  if (last !== undefined && !container.oneStage && !reachesBack(tape, last))
    if (container.held) container.held.enter(tape, gate, last)
    else gate.enterSecondStage(tape, container.init?.needs, last)
  return { tape, flags: monitor || joins ? 0 : flags }
}

/** A second child, which is ours as well: CLONE_PARENT. Returns where its pid will be. */
function becomeInner(tape: Tape, gate: Gate, flags: number): Uint8Array {
  const pid = new Uint8Array(4)
  gate.closeParentEnd(tape)
  tape.become({ flags: flags + CLONE_VM + CLONE_VFORK + CLONE_PARENT + CLONE_PARENT_SETTID, parentTid: pid })
  return pid
}

/** The calls by which a child gives up its rights, or becomes a program. The part that makes the first of them begins the second stage. */
const endsRights = ({ call, args: [first] }: Op) =>
  ['execve', 'seccomp', 'capset', 'prlimit64'].includes(call) ||
  (call === 'prctl' && [PR_CAPBSET_DROP, PR_SET_KEEPCAPS, PR_SET_NO_NEW_PRIVS].includes(first as number))

/** Whether an op from `at` on uses the result of an earlier op as an argument: it would be lost with the memory. */
const reachesBack = ({ ops }: Tape, at: number) =>
  ops.slice(at).some(({ args }) => args.some(arg => arg instanceof Later && ops.indexOf(arg.op) < at))

/** A plan with nothing made for it yet. */
export const nothingMade = (plan: Plan): Container => ({ ...plan, requests: { host: [], container: [] } })

/**
 * Makes a container from its parts and starts its program; resolves at the child's execve. Throws a SyscallError if a call
 * is refused; the child is then gone, and the ledger lists what was made on the host.
 */
export async function startParts(parts: readonly Part[], plan: Plan): Promise<Started> {
  return oneAtATime(async () => {
    using idMaps = await makeIdMaps(plan.spec)
    const container = nothingMade(plan)
    for (const part of parts) await part.prepare?.(container)
    const gate = new Gate()
    const { tape, flags } = gate.orAbandon(() => recordParts(parts, container, gate))
    return await launchParts(container, parts, gate, { tape, flags, idMaps })
  })
}

/** Our work while the child waits: at the first gate that of each part, at the second the copy of its terminal. */
async function launchParts(
  container: Container,
  parts: readonly Part[],
  gate: Gate,
  { tape, flags, idMaps }: { tape: Tape; flags: number; idMaps: IdMaps },
): Promise<Started> {
  const { monitor } = container
  const inner = monitor?.child ?? container.inner
  let first: Descriptor | undefined // its first process, which with a monitor is not our child
  const attach = async (launched: Launched) => {
    if (monitor) monitor.pid = launched.pid()
    if (inner) first = closing(now.pidfd_open(launched.pidIn(inner), 0))
    const pid = inner ? launched.pidIn(inner) : launched.pid()
    try {
      for (const part of parts) await part.attach?.(container, pid)
    } catch (error) {
      if (first) send(first.fd, 'SIGKILL') // its parent waits until it has left our memory, and we wait for both
      throw error
    }
  }
  const map = (launched: Launched) =>
    mapIds(container, idMaps, launched, {
      pid: inner ? launched.pidIn(inner) : launched.pid(),
      pidfd: first?.fd ?? launched.pidfd(),
    })
  try {
    const {
      child: made,
      clone,
      ...arrived
    } = await launchGated(tape, gate, flags, [
      attach,
      ...(container.idmapped ? [map] : []),
      ...(container.terminal ? [(launched: Launched) => takeTerminal(container, launched, first?.fd)] : []),
      ...(container.listener
        ? [(launched: Launched) => container.held?.listens(first?.fd ?? launched.pidfd())]
        : []),
      ...(container.held ? [() => container.held?.ready()] : []),
    ])
    const failed = arrived.failed ?? noProgram(arrived.tape, tape) ?? container.held?.lost
    const child = first && !monitor && !failed ? await secondChild(made, certain(inner), first) : made
    if (!failed) return { container, child, clone, tape: arrived.tape }
    if (monitor) child.kill('SIGKILL') // it waits for what we say
    await child.exit
    throw failed instanceof SyscallError
      ? startError(container.spec.process, arrived.tape, failed, container)
      : failed
  } catch (error) {
    if (first) await ended(first.fd)
    throw error
  } finally {
    first?.[Symbol.dispose]()
  }
}

/** The second child, once the first, which made it, has ended: CLONE_PARENT makes it ours. */
async function secondChild(made: Child, pid: Uint8Array, { fd }: Descriptor): Promise<Child> {
  await made.exit
  return new Child(certain(int32s(pid)[0]), now.fcntl(fd, F_DUPFD_CLOEXEC, 0))
}

/** Why a child reached the end of its tape without becoming a program: an execve that succeeds does not return. */
function noProgram(tape: readonly Replayed[], { own: ops }: Tape): Error | undefined {
  if (tape.at(-1)?.result === null) return undefined
  const at = tape.findLastIndex(({ call, errno }) => call === 'execve' && errno !== null)
  if (at !== -1) {
    const { call, args, errno } = certain(tape[at])
    const number = errnoNumber(certain(errno))
    return new SyscallError(
      call,
      args,
      number,
      { number: at + 1, of: tape.length, at: ops[at]?.at },
      diagnose(call, [], number),
    )
  }
  return new MinilabError(
    'usage',
    'the child made all its calls and exited: none of them was an execve, so it never became a program',
    'make `execve` its last call: it does not return',
  )
}

// The containers of one process start one after the other. A child at its gate shares our memory: if it changes its credentials, it
// marks the memory undumpable, and then another child's uid_map could not be written. It also has copies of our descriptors, including
// the tape of another child's second stage: we would not notice the end of that stage before this child, too, has left.
let queue: Promise<unknown> = Promise.resolve()
function oneAtATime<T>(task: () => Promise<T>): Promise<T> {
  const run = queue.then(task)
  queue = run.catch(() => undefined) // the caller handles the failure
  return run
}
