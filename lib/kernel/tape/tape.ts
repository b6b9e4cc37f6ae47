import type { SourceLine } from '../../common/errors.ts'
import { errnoNumber } from '../../common/errno.ts'
import type { Recorder } from './recorder.ts'
import type { SecondStage } from './second-stage.ts'
import { type Args, type Call, parameters, syscalls } from '../syscalls/syscalls.ts'

/** The result of a call that has not run yet: given as an argument of a later call, it flows there when it is known. */
export class Later {
  readonly op: Op
  constructor(op: Op) {
    this.op = op
  }
}

/**
 * One recorded call. The child goes on only while min <= result <= max: below it fails, above it leaves quietly. The
 * results that are `allowed`, such as -EEXIST, are as good as success.
 */
export interface Op {
  call: Call
  args: unknown[]
  min: bigint
  max: bigint
  allowed?: readonly bigint[]
  /** the name of the part that recorded it */
  part: string
  /** where that is known: of what learners wrote */
  at?: SourceLine
}

/** One call as it was replayed: what `--json` prints as an entry of `tape`. */
export interface Replayed {
  /** the system call; of a netlink request its message, such as `RTM_NEWLINK` */
  call: string
  /** as strace prints them */
  args: string
  /** what the kernel returned; -1 with `errno` where it refused; null where it never returned */
  result: number | null
  errno: string | null
  /** nanoseconds from just before the clone3 that made its child; undefined where we made the call ourselves */
  start?: number
  /** when it began, in nanoseconds on our clock: clock.ts; undefined where that was not recorded */
  at?: number
  /** nanoseconds, until the next call began */
  ns: number
  part: string
}

const LEAST = -(2n ** 63n)
const MOST = 2n ** 63n - 1n

/** The typed methods of the table; `tape.mount(…)` records what `now.mount(…)` would do at once. */
// eslint-disable-next-line typescript/no-unsafe-declaration-merging -- the methods are made from the table below
export interface Tape extends Recorder {}

/**
 * The system calls that a child will make, in order, recorded before it exists. See launch.ts for how they run:
 * no JavaScript can, between clone3 and execve.
 */
export class Tape {
  readonly ops: Op[] = []
  /** the part that records now */
  part = ''
  /** from which op on the child is a program of its own, which is nothing but the rest of this tape */
  second?: { at: number; stage: SecondStage }

  record(call: Call, args: unknown[], limits: Partial<Pick<Op, 'min' | 'max' | 'allowed'>> = {}): Later {
    const op: Op = { call, args, min: 0n, max: MOST, ...limits, part: this.part }
    this.ops.push(op)
    return new Later(op)
  }

  /** The same methods, but a refusal does not end the child: for paths that need not exist, for a search along PATH. */
  readonly attempt = recorder((call, args) => this.record(call, args, { min: LEAST }))

  /** The same methods, but these refusals, two at the most, do not end the child: `tape.allow('EEXIST').mkdirat(…)`. */
  allow(...codes: [string, string?]): Recorder {
    const key = codes.join()
    const known = this.#allowing.get(key)
    if (known) return known
    const allowed = codes.map(code => -BigInt(errnoNumber(code ?? '')))
    const made = recorder((call, args) => this.record(call, args, { allowed }))
    this.#allowing.set(key, made)
    return made
  }
  readonly #allowing = new Map<string, Recorder>() // each has a method for every call of the table

  /** The same methods, but what they are about need not be there: ENOENT does not end the child. */
  readonly ifThere = this.allow('ENOENT')

  /** As read(2) for one byte, but end of file is a failure: whoever should have written is gone. */
  readByte(fd: number): Later {
    return this.record('read', [fd, new Uint8Array(1), 1], { min: 1n })
  }

  /** A second clone3: the caller leaves quietly, its child goes on replaying. */
  become(args: Args<'clone3'>[0]): Later {
    return this.record('clone3', [args, 88], { max: 0n })
  }

  /** The tape as text, before it ran; a result that is still to come as `<openat #3>`: the call that it will come from. */
  print(): string[] {
    return this.ops.map(({ call, args }) => {
      const printed = parameters(call).map(({ kind }, i) => {
        const arg = args[i]
        return arg instanceof Later ? `<${arg.op.call} #${this.ops.indexOf(arg.op) + 1}>` : kind.print(arg)
      })
      return `${call}(${printed.join(', ')})`
    })
  }
}

function recorder(record: (call: Call, args: unknown[]) => Later): Recorder {
  return Object.fromEntries(
    Object.keys(syscalls).map(call => [call, (...args: unknown[]) => record(call as Call, args)]),
  ) as unknown as Recorder
}

for (const call of Object.keys(syscalls) as Call[]) {
  Object.defineProperty(Tape.prototype, call, {
    value(this: Tape, ...args: unknown[]) {
      return this.record(call, args)
    },
  })
}
