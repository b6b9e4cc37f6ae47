import type { SourceLine } from '../../common/errors.ts'
import { errnoNumber } from '../../common/errno.ts'
import type { Recorder } from './recorder.ts'
import type { SecondStage } from './second-stage.ts'
import { type Args, type Call, parameters, syscalls } from '../syscalls/syscalls.ts'

/** The result of a call that has not run yet. Passed as an argument of a later call, it is filled in when it is known. */
export class Later {
  readonly op: Op
  constructor(op: Op) {
    this.op = op
  }
}

/**
 * One recorded call. The child continues only if min <= result <= max: below min it fails, above max it exits silently. The
 * `allowed` results, such as -EEXIST, count as success.
 */
export interface Op {
  call: Call
  args: unknown[]
  min: bigint
  max: bigint
  allowed?: readonly bigint[]
  /** the name of the part that recorded it */
  part: string
  /** set if known: for code that learners wrote */
  at?: SourceLine
}

/** One call as it was replayed: `--json` prints it as an entry of `tape`. */
export interface Replayed {
  /** the system call; for a netlink request, its message, such as `RTM_NEWLINK` */
  call: string
  /** as strace prints them */
  args: string
  /** the kernel's result; -1 with `errno` if it refused; null if the call never returned */
  result: number | null
  errno: string | null
  /** nanoseconds since just before the clone3 that made its child; undefined if we made the call ourselves */
  start?: number
  /** when it began, in nanoseconds on our clock: clock.ts; undefined if that was not recorded */
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
 * The system calls that a child will make, in order, recorded before the child exists. launch.ts says how they run:
 * JavaScript cannot run between clone3 and execve.
 */
export class Tape {
  readonly ops: Op[] = []
  /** the part that is recording */
  part = ''
  /** the op from which on the child is a separate program: just the rest of this tape */
  second?: { at: number; stage: SecondStage }

  record(call: Call, args: unknown[], limits: Partial<Pick<Op, 'min' | 'max' | 'allowed'>> = {}): Later {
    const op: Op = { call, args, min: 0n, max: MOST, ...limits, part: this.part }
    this.ops.push(op)
    return new Later(op)
  }

  /** The same methods, but a refusal does not end the child: for paths that need not exist, or a search along PATH. */
  readonly attempt = recorder((call, args) => this.record(call, args, { min: LEAST }))

  /** The same methods, but at most two given refusals do not end the child: `tape.allow('EEXIST').mkdirat(…)`. */
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

  /** The same methods, but their object need not exist: ENOENT does not end the child. */
  readonly ifThere = this.allow('ENOENT')

  /** Like read(2) for one byte, but end of file is a failure: the process that should have written is gone. */
  readByte(fd: number): Later {
    return this.record('read', [fd, new Uint8Array(1), 1], { min: 1n })
  }

  /** A second clone3: the caller exits silently, and its child goes on replaying. */
  become(args: Args<'clone3'>[0]): Later {
    return this.record('clone3', [args, 88], { max: 0n })
  }

  /** The tape as text, before it ran. A result not yet known appears as `<openat #3>`, after the call that returns it. */
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
