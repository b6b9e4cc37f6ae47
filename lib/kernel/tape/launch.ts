import { closeSync } from 'node:fs'
import { Arena } from '../syscalls/arena.ts'
import { clockAt, nsPerTick } from './clock.ts'
import {
  CLONE_CLEAR_SIGHAND,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_VFORK,
  CLONE_VM,
  P_PIDFD,
  PR_GET_DUMPABLE,
  PR_SET_DUMPABLE,
  WEXITED,
} from '../syscalls/constants.ts'
import { diagnose } from '../syscalls/diagnose.ts'
import { errnoName } from '../../common/errno.ts'
import { entry } from './launchpad-code.ts'
import { ENTRY, OP } from './launchpad.ts'
import { syscallNumber } from '../syscalls/syscall-numbers.ts'
import { flags as printFlags } from '../syscalls/kinds.ts'
import { needTasks, POOL } from '../process/need-tasks.ts'
import { int32s, now } from '../syscalls/now.ts'
import { findProcess, send } from '../process/signal.ts'
import { SyscallError } from '../syscalls/syscall-error.ts'
import { parameters, printArgs } from '../syscalls/syscalls.ts'
import { Later, type Op, type Replayed, type Tape } from './tape.ts'

const STACK = 65536
const CLONE_ARGS_SIZE = 88
const SIGCHLD = 17
const NOT_RUN = -(2n ** 63n) // no system call returns this

type LaunchCode = (...args: [args: bigint, size: bigint, ops: bigint, end: bigint]) => void
const launchpad = entry(
  ENTRY.launch,
  'int64_t launch(int64_t args, int64_t size, int64_t ops, int64_t end)',
) as unknown as {
  async(...args: [...Parameters<LaunchCode>, (error: Error | null, result: bigint | number) => void]): void
}

/** A child on its way: the tape is being replayed. */
export interface Launched {
  /** the child's pid; 0 until clone3 made it */
  pid(): number
  /** a descriptor for the child; the caller closes it. Valid as soon as `pid()` is not 0 */
  pidfd(): number
  /** Settles when the child has left the shared memory: at its execve or its exit. Rejects where clone3 is refused. */
  replayed: Promise<Replayed[]>
  /** What an earlier call returned, while the child waits at a gate: the memory is shared. */
  result(of: Later): number
  /** The pid of a child's child that waits at a gate: from the buffer in which its clone3 (`Tape.become`) left it. */
  second(parentTid: Uint8Array): number
  /** the clone3 itself, ours and so not on the child's tape: complete once `replayed` has resolved */
  clone: Replayed
}

let hasPool = false // libuv's, which the first launch starts

/**
 * Starts a child that replays `tape`. The call waits in vfork on one of libuv's workers; this thread goes on.
 * `flags` are clone3's CLONE_NEW*; CLONE_FILES gives the child our own descriptor table, so that what it opens is ours.
 */
export function launch(tape: Tape, flags = 0): Launched {
  if (!hasPool) needTasks(POOL + 1)
  hasPool = true
  const arena = Arena.take()
  const ops = encode(tape.ops, arena)
  const end = ops + OP.size * tape.ops.length
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
  const known = { pid: 0, pidfd: -1, second: 0 }
  const shown = `{flags=${printFlags('CLONE_', allFlags)}, exit_signal=SIGCHLD}`
  const clone: Replayed = { call: 'clone3', args: shown, result: null, errno: null, ns: 0, part: '' }
  let over = false // then the arena is another's
  const look = () => {
    if (known.pid || over) return
    known.pid = arena.view.getInt32(identity + 8, true)
    if (!known.pid) return
    known.pidfd = arena.view.getInt32(identity, true)
    replaying.add(known.pid)
  }

  const replayed = new Promise<Replayed[]>((resolve, reject) => {
    launchpad.async(
      args,
      BigInt(CLONE_ARGS_SIZE),
      arena.address(ops),
      arena.address(end),
      (error, result) => {
        look()
        over = true
        arena.collect()
        for (const pid of orphans(tape.ops, i => arena.view.getBigInt64(ops + OP.size * i + OP.result, true)))
          endAtOnce(pid)
        replaying.delete(known.pid)
        replaying.delete(known.second)
        stayDumpable()
        const began = arena.view.getBigUint64(end + OP.max, true)
        const at = clockAt(began)
        const record = error ? [] : read(tape.ops, arena, ops, began, at)
        Object.assign(clone, { result: known.pid, start: 0, at, ns: record[0]?.start ?? 0 })
        arena.release()
        if (error) reject(error)
        else if (Number(result) > 0) resolve(record)
        else {
          const errno = -Number(result)
          reject(new SyscallError('clone3', shown, errno, undefined, diagnose('clone3', [{ flags }], errno)))
        }
      },
    )
  })
  return {
    pid: () => (look(), known.pid),
    pidfd: () => (look(), known.pidfd),
    second(parentTid) {
      arena.collect()
      known.second = int32s(parentTid)[0] ?? 0
      replaying.add(known.second)
      return known.second
    },
    replayed,
    result: ({ op }) =>
      Number(arena.view.getBigInt64(ops + OP.size * tape.ops.indexOf(op) + OP.result, true)),
    clone,
  }
}

/**
 * The children's children whose maker did not wait until they had left our memory: it was killed in its vfork. For each call its
 * result is what the maker got; what the new child got, 0, stands there until then.
 */
function orphans(ops: readonly Op[], resultOf: (i: number) => bigint): number[] {
  return ops.flatMap(({ call, args: [args] }, i) => {
    const { parentTid } = (call === 'clone3' ? args : {}) as { parentTid?: Uint8Array }
    const pid = parentTid && resultOf(i) <= 0n ? int32s(parentTid)[0] : 0
    return pid || []
  })
}

/** Ends a child before anything else is done: it stands in a container, and shares our memory (CVE-2016-9962). */
function endAtOnce(pid: number): void {
  const pidfd = findProcess(pid)
  if (pidfd === undefined) return
  send(pidfd, 'SIGKILL')
  now.waitid(P_PIDFD, pidfd, new Uint8Array(128), WEXITED, null)
  closeSync(pidfd)
}

// children, and children of theirs, that still share our memory
const replaying = new Set<number>()

/** Whether a process is a child of ours that has neither become another program nor ended yet: at its gate, say. */
export function sharesOurMemory(pid: number): boolean {
  return replaying.has(pid)
}

/**
 * A change of credentials marks the memory undumpable (kernel/cred.c commit_creds), and the child's memory was ours.
 * Undumpable, we would look owned by root in /proc, and an ordinary user could not write the next child's uid_map.
 */
export function stayDumpable(): void {
  if (now.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) !== 1) now.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
}

/** Writes the ops into the arena, and one empty op behind them for the launchpad's time stamps. */
function encode(ops: Op[], arena: Arena): number {
  const start = arena.reserve(OP.size * (ops.length + 1))
  const saves = new Map<Op, bigint[]>() // result of op → addresses of the arguments it flows into
  ops.forEach((op, i) => {
    const at = start + OP.size * i
    parameters(op.call).forEach(({ kind }, k) => {
      const address = at + OP.args + 8 * k
      const arg = op.args[k]
      if (arg instanceof Later) {
        saves.set(arg.op, [...(saves.get(arg.op) ?? []), arena.address(address)])
        return
      }
      arena.view.setBigUint64(address, BigInt.asUintN(64, BigInt(kind.encode(arg, arena))), true)
    })
    arena.view.setBigInt64(at + OP.nr, BigInt(syscallNumber(op.call)), true)
    arena.view.setBigInt64(at + OP.result, NOT_RUN, true)
    arena.view.setBigInt64(at + OP.min, op.min, true)
    arena.view.setBigInt64(at + OP.max, op.max, true)
    ;[0, 1].forEach(k => arena.view.setBigInt64(at + OP.allowed + 8 * k, op.allowed?.[k] ?? NOT_RUN, true))
  })
  ops.forEach((op, i) => {
    const targets = saves.get(op)
    if (targets) arena.view.setBigUint64(start + OP.size * i + OP.save, arena.words([...targets, 0n]), true)
  })
  return start
}

/**
 * Reads back what the child did: the ops it reached, their results, when they began and how long they took. `cloned` is the
 * time stamp from just before our clone3, `at` what our clock showed then.
 */
function read(ops: Op[], arena: Arena, start: number, cloned: bigint, at: number): Replayed[] {
  const tick = nsPerTick()
  const stamp = (i: number) => arena.view.getBigUint64(start + OP.size * i + OP.tsc, true)
  const reached = ops.findIndex((_, i) => stamp(i) === 0n)
  const count = reached === -1 ? ops.length : reached
  // each call ends where the next begins; the last one when our clone3 came back
  const starts: number[] = []
  for (const i of [...ops.keys()].slice(0, count).concat(ops.length))
    starts.push(Math.max(starts.at(-1) ?? 0, Math.round(Number(stamp(i) - cloned) * tick)))
  const results = new Map<Op, number>()
  return ops.slice(0, count).map((op, i) => {
    const raw = arena.view.getBigInt64(start + OP.size * i + OP.result, true)
    results.set(op, Number(raw))
    const args = op.args.map(arg => (arg instanceof Later ? results.get(arg.op) : arg))
    const [began = 0, ended = began] = starts.slice(i, i + 2)
    const refused = raw < 0n && raw >= -4095n
    return {
      call: op.call,
      args: printArgs(op.call, args),
      result: raw === NOT_RUN ? null : refused ? -1 : Number(raw),
      errno: refused ? errnoName(-Number(raw)) : null,
      start: began,
      at: at + began,
      ns: ended - began,
      part: op.part,
    }
  })
}
