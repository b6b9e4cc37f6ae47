import { errnoName } from '../../common/errno.ts'
import { type Arena, Filled } from '../syscalls/arena.ts'
import { CLONE_PARENT_SETTID } from '../syscalls/constants.ts'
import { int32s } from '../syscalls/now.ts'
import { syscallNumber } from '../syscalls/syscall-numbers.ts'
import { parameters, printArgs } from '../syscalls/syscalls.ts'
import { nsPerTick } from './clock.ts'
import { END, OP } from './launchpad.ts'
import type { SecondStage } from './second-stage.ts'
import { Later, type Op, type Replayed, withResults } from './tape.ts'

export const NOT_RUN = -(2n ** 63n) // no system call returns this

/** Ops in an arena, in the launchpad's format: written before a child replays them, and read afterwards. */
export class Encoded {
  readonly #ops: readonly Op[]
  readonly #arena: Arena
  readonly #start: number

  /** An empty op follows the ops, for the launchpad's time stamps. `first`: where in the tape they begin. */
  constructor(ops: readonly Op[], arena: Arena, first = 0) {
    this.#ops = ops
    this.#arena = arena
    this.#start = arena.reserve(OP.size * (ops.length + 1))
    const saves = new Map<Op, bigint[]>() // result of op → addresses of the words it flows into
    const save = ({ op }: Later, address: bigint) => saves.set(op, [...(saves.get(op) ?? []), address])
    ops.forEach((op, i) =>
      parameters(op.call).forEach(({ kind }, k) => {
        const arg = op.args[k] // in a list of buffers it is only a buffer
        if (arg instanceof Filled && !kind.form.fits(arg)) arena.lies(arg, this.#at(i) + OP.args + 8 * k)
      }),
    )
    ops.forEach((op, i) => {
      const at = this.#at(i)
      parameters(op.call).forEach(({ kind }, k) => {
        const address = at + OP.args + 8 * k
        const arg = op.args[k]
        if (arg instanceof Filled && !kind.form.fits(arg)) return
        if (arg instanceof Later) return void save(arg, arena.address(address))
        arena.view.setBigUint64(address, BigInt.asUintN(64, BigInt(kind.encode(arg, arena))), true)
      })
      arena.view.setBigInt64(at + OP.nr, BigInt(syscallNumber(op.call)), true)
      arena.view.setBigInt64(at + OP.result, NOT_RUN, true)
      arena.view.setBigInt64(at + OP.min, op.min, true)
      arena.view.setBigInt64(at + OP.max, op.max, true)
      for (const branch of ['under', 'over'] as const) {
        const to = op[branch] // 0: there is no branch
        if (to) arena.view.setBigUint64(at + OP[branch], arena.address(this.#at(to.at - first)), true)
      }
      ;[0, 1].forEach(k => arena.view.setBigInt64(at + OP.allowed + 8 * k, op.allowed?.[k] ?? NOT_RUN, true))
    })
    for (const [result, address] of arena.results) save(result as Later, address)
    ops.forEach((op, i) => {
      const targets = saves.get(op)
      if (targets) arena.view.setBigUint64(this.#at(i) + OP.save, arena.words([...targets, 0n]), true)
    })
  }

  /** The offset of an op in the arena. */
  #at(i: number): number {
    return this.#start + OP.size * i
  }

  /** The address of the first op, and the address after the last one. */
  get bounds(): [first: bigint, end: bigint] {
    return [this.#arena.address(this.#at(0)), this.#arena.address(this.#at(this.#ops.length))]
  }

  /** Tells the launchpad to wait for the end of a second stage as well. */
  isFollowedBy({ theirs, ours }: SecondStage): void {
    this.#arena.view.setBigInt64(this.#at(this.#ops.length) + END.theirs, BigInt(theirs), true)
    this.#arena.view.setBigInt64(this.#at(this.#ops.length) + END.ours, BigInt(ours), true)
  }

  /** The launchpad's time stamps: just before its clone3, when that returned, and at the end of the second stage. */
  get began(): bigint {
    return this.#stamp(END.began)
  }
  get left(): bigint {
    return this.#stamp(END.left)
  }
  get over(): bigint {
    return this.#stamp(END.over)
  }

  #stamp(which: number, i = this.#ops.length): bigint {
    return this.#arena.view.getBigUint64(this.#at(i) + which, true)
  }

  /** What an op has returned so far. */
  result(i: number): bigint {
    return this.#arena.view.getBigInt64(this.#at(i) + OP.result, true)
  }

  /**
   * The grandchildren whose parent was killed in its vfork, so it did not wait until they had left our memory. The result of each such
   * call should be the parent's, the pid; until that is written, it is the new child's, 0.
   */
  orphans(): number[] {
    return this.#ops.flatMap(({ call, args: [args] }, i) => {
      const { parentTid } = (call === 'clone3' ? args : {}) as { parentTid?: Uint8Array }
      const pid = parentTid && this.result(i) <= 0n ? int32s(parentTid)[0] : 0
      return pid || []
    })
  }

  /** The call beside the child that was refused, and its result; undefined if there is none. */
  refusedAside(): { op: Op; result: bigint } | undefined {
    for (const [i, op] of this.#ops.entries()) {
      const result = this.result(i)
      if (op.aside && result !== NOT_RUN && result < op.min) return { op, result }
    }
    return undefined
  }

  /**
   * What the child did: the ops it reached, their results, their start times and durations. `cloned` is the time stamp
   * from just before our clone3, `at` the time on our clock then, `ended` the time stamp of the end.
   */
  read(cloned: bigint, at: number, ended: bigint): Replayed[] {
    const tick = nsPerTick()
    const all = this.#ops.flatMap((op, i) => (op.aside ? [] : { op, at: i, stamp: this.#stamp(OP.tsc, i) }))
    const unreached = all.findIndex(({ stamp }) => stamp === 0n)
    const ops = unreached === -1 ? all : all.slice(0, unreached)
    // each call ends where the next begins
    const starts: number[] = []
    for (const stamp of [...ops.map(op => op.stamp), ended])
      starts.push(Math.max(starts.at(-1) ?? 0, Math.round(Number(stamp - cloned) * tick)))
    const results = new Map<Op, number>()
    return ops.map(({ op, at: number }, i) => {
      const said = this.result(number)
      const raw = said >= 0n ? (forked(op) ?? said) : said
      results.set(op, Number(raw))
      const args = op.args.map(arg => withResults(arg, of => results.get(of)))
      const [began = 0, next = began] = starts.slice(i, i + 2)
      const refused = raw < 0n && raw >= -4095n
      return {
        call: op.call,
        args: printArgs(op.call, args),
        result: raw === NOT_RUN ? null : refused ? -1 : Number(raw),
        errno: refused ? errnoName(-Number(raw)) : null,
        start: began,
        at: at + began,
        ns: next - began,
        part: op.part,
      }
    })
  }
}

/**
 * What a clone(2) without CLONE_VFORK has returned to the parent. Its child writes its own result, 0, to the same place, before or after
 * that; the pid is in the buffer of CLONE_PARENT_SETTID.
 */
function forked({ call, args: [flags, , parentTid] }: Op): bigint | undefined {
  const isFork = call === 'clone' && (Number(flags) & CLONE_PARENT_SETTID) !== 0
  return isFork && parentTid instanceof Uint8Array ? BigInt(int32s(parentTid)[0] ?? 0) : undefined
}
