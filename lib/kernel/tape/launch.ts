import { closeSync } from 'node:fs'
import { Arena } from '../syscalls/arena.ts'
import { clockAt } from './clock.ts'
import { Encoded } from './encoded.ts'
import {
  CLONE_CLEAR_SIGHAND,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_VFORK,
  CLONE_VM,
  PR_GET_DUMPABLE,
  PR_SET_DUMPABLE,
  P_PIDFD,
  SIGCHLD,
  WEXITED,
} from '../syscalls/constants.ts'
import { diagnose } from '../syscalls/diagnose.ts'
import { entry } from './launchpad-code.ts'
import { ENTRY } from './launchpad.ts'
import { flags as printFlags } from '../syscalls/argument-kinds.ts'
import { needTasks, POOL } from '../process/need-tasks.ts'
import { int32s, now } from '../syscalls/now.ts'
import { POLLIN } from '../process/poll.ts'
import { findProcess, send } from '../process/signal.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'
import { printArgs } from '../syscalls/syscalls.ts'
import type { Later, Op, Replayed, Tape } from './tape.ts'

const STACK = 65536
const CLONE_ARGS_SIZE = 88

type LaunchCode = (...args: [args: bigint, size: bigint, ops: bigint, end: bigint]) => void
const launchpad = entry(
  ENTRY.launch,
  'int64_t launch(int64_t args, int64_t size, int64_t ops, int64_t end)',
) as unknown as {
  async(...args: [...Parameters<LaunchCode>, (error: Error | null, result: bigint | number) => void]): void
}

/** A launched child: the tape is being replayed. */
export interface Launched {
  /** the child's pid; 0 until clone3 has made it */
  pid(): number
  /** a pidfd for the child; the caller closes it. Valid as soon as `pid()` is not 0 */
  pidfd(): number
  /** Settles when the child has left the shared memory: at its execve or its exit. Rejects if clone3 is refused. */
  replayed: Promise<Replayed[]>
  /** Whether clone3 has made the child, or was refused. Also true where other launches hold the workers, so that it may have to wait for them. */
  hasCloned(): boolean
  /** Whether a worker has begun with it. */
  hasBegun(): boolean
  /** then: the error of a call that was refused beside the child */
  asideFailure(): SyscallError | undefined
  /** What an earlier call returned, while the child waits at a gate: possible because its memory, or the file with its tape, is shared. */
  result(of: Later): number
  /** The pid of the child's child, from the buffer that its clone3 (`Tape.become`) fills; 0 until then. */
  pidIn(parentTid: Uint8Array): number
  /** the clone3 itself, called by us and so not on the child's tape: complete once `replayed` has resolved */
  clone: Replayed
}

let hasPool = false // libuv's thread pool, which the first launch starts
let held = 0 // of its workers, by launches

/**
 * Starts a child that replays `tape`. The call waits in vfork on one of libuv's workers; this thread goes on.
 * `flags` are clone3's CLONE_NEW*; with CLONE_FILES the child uses our descriptor table, so that what it opens is ours.
 */
export function launch(tape: Tape, flags = 0): Launched {
  if (!hasPool) needTasks(POOL + 1)
  hasPool = true
  const arena = Arena.take()
  const first = new Encoded(tape.ops.slice(0, tape.second?.at), arena)
  const second = tape.second && {
    stage: tape.second.stage,
    ops: new Encoded(tape.ops.slice(tape.second.at), tape.second.stage.arena, tape.second.at),
  }
  if (second) {
    second.stage.fill(second.ops.bounds)
    first.isFollowedBy(second.stage)
  }
  const identity = arena.reserve(16) // pidfd, then the pid
  const stack = arena.reserve(STACK)
  // CLONE_VM: results come back through shared memory. CLONE_VFORK: we wait, and the OOM killer spares us (mm/oom_kill.c)
  const allFlags = flags + CLONE_VM + CLONE_VFORK + CLONE_PIDFD + CLONE_PARENT_SETTID + CLONE_CLEAR_SIGHAND
  const args = arena.words([
    allFlags,
    arena.address(identity),
    0,
    arena.address(identity + 8),
    SIGCHLD,
    arena.address(stack),
    STACK,
    0,
    0,
    0,
    0,
  ])
  const known = { pid: 0, pidfd: -1, childsChild: 0 }
  const shown = `{flags=${printFlags('CLONE_', allFlags)}, exit_signal=SIGCHLD}`
  const clone: Replayed = { call: 'clone3', args: shown, result: null, errno: null, ns: 0, part: '' }
  let over = false // after that another tape may use the arena
  let refusedAside: SyscallError | undefined
  const look = () => {
    if (known.pid || over) return
    known.pid = arena.view.getInt32(identity + 8, true)
    if (!known.pid) return
    known.pidfd = arena.view.getInt32(identity, true)
    replaying.add(known.pid)
  }

  // besides its own worker a launch takes one that waits at its gate
  const hasWorker = 2 * held + 1 < POOL
  held++
  const replayed = new Promise<Replayed[]>((resolve, reject) => {
    launchpad.async(args, BigInt(CLONE_ARGS_SIZE), ...first.bounds, (error, result) => {
      look()
      over = true
      held--
      arena.collect()
      const made = Number(result) > 0
      if (made) second?.stage.theirsIsClosed()
      second?.stage.look()
      first.orphans().forEach(endAtOnce) // the children of a second stage have none of our memory
      replaying.delete(known.pid)
      replaying.delete(known.childsChild)
      stayDumpable()
      const aside = first.refusedAside() ?? second?.ops.refusedAside()
      if (aside) refusedAside = refusal(aside.op, aside.result)
      const { began } = first
      const at = clockAt(began)
      const record = made ? read(first, second?.ops, began, at) : []
      Object.assign(clone, { result: known.pid, start: 0, at, ns: record[0]?.start ?? 0 })
      arena.release()
      if (error) reject(error)
      else if (made) resolve(record)
      else {
        const errno = -Number(result)
        reject(new SyscallError('clone3', shown, errno, undefined, diagnose('clone3', [{ flags }], errno)))
      }
    })
  })
  return {
    pid: () => (look(), known.pid),
    pidfd: () => (look(), known.pidfd),
    pidIn(parentTid) {
      if (!over) arena.collect()
      tape.second?.stage.look()
      known.childsChild = int32s(parentTid)[0] ?? 0
      const made = tape.ops.findIndex(
        ({ args: [args] }) => (args as { parentTid?: unknown } | null)?.parentTid === parentTid,
      )
      if (made < (tape.second?.at ?? Infinity)) replaying.add(known.childsChild) // otherwise it is a child of the second stage
      return known.childsChild
    },
    replayed,
    hasCloned: () => !hasWorker || over || (look(), known.pid !== 0) || first.left !== 0n,
    hasBegun: () => first.began !== 0n,
    asideFailure: () => refusedAside,
    result({ op }) {
      const at = tape.ops.indexOf(op)
      const of = tape.second?.at ?? Infinity
      if (at < of) return Number(first.result(at))
      tape.second?.stage.look()
      return Number(second?.ops.result(at - of))
    },
    clone,
  }
}

function refusal({ call, args }: Op, result: bigint): SyscallError {
  const number = Number(-result)
  return new SyscallError(call, printArgs(call, args), number, undefined, diagnose(call, args, number))
}

/** The calls of both stages. The execveat between them ends where the second stage begins. */
function read(first: Encoded, second: Encoded | undefined, began: bigint, at: number): Replayed[] {
  const record = first.read(began, at, first.left)
  const after = second?.read(began, at, first.over) ?? []
  const [last, next] = [record.at(-1), after[0]]
  if (last && next) last.ns = (next.start ?? 0) - (last.start ?? 0)
  return [...record, ...after]
}

/** Kills a child before anything else is done: it is inside a container, and shares our memory (CVE-2016-9962). */
function endAtOnce(pid: number): void {
  const pidfd = findProcess(pid)
  if (pidfd === undefined) return
  send(pidfd, 'SIGKILL')
  now.ppoll(new Uint8Array(Int32Array.of(pidfd, POLLIN).buffer), 1, 0, 0, 0)
  try {
    now.waitid(P_PIDFD, pidfd, new Uint8Array(128), WEXITED, null)
  } catch (error) {
    if (!(error instanceof SyscallError && error.code === 'ECHILD')) throw error // it was the child of a process that has ended
  }
  closeSync(pidfd)
}

// our children and grandchildren that still share our memory
const replaying = new Set<number>()

/** Whether a process is a child of ours that has neither executed another program nor ended: for example, one at its gate. */
export function sharesOurMemory(pid: number): boolean {
  return replaying.has(pid)
}

/**
 * A change of credentials marks the memory undumpable (kernel/cred.c commit_creds), and the child's memory was ours.
 * If we stay undumpable, root owns our files in /proc, and an ordinary user cannot write the next child's uid_map.
 */
export function stayDumpable(): void {
  if (now.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) !== 1) now.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
}
