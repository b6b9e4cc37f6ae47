import type { SourceLine } from '../../common/errors.ts'
import { errnoName, errnoNumber } from '../../common/errno.ts'
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

/** A place in a tape: before the op that is recorded after `tape.mark(label)`. */
export class Label {
  readonly name: string
  at = -1
  constructor(name: string) {
    this.name = name
  }
}

/**
 * One recorded call. The child continues with the next one only if min <= result <= max: below min it fails, above max it exits
 * silently, unless a label says where it goes on. The `allowed` results, such as -EEXIST, count as success.
 */
export interface Op {
  call: Call
  args: unknown[]
  min: bigint
  max: bigint
  allowed?: readonly bigint[]
  under?: Label
  over?: Label
  /** why it is made: printed before it */
  note?: string
  /** what of the spec it is for: an error begins with it */
  about?: string
  /** set if the maker of the child makes this call, beside the child: it is not in the record of the replay */
  aside?: boolean
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

const MIN_RESULT = -(2n ** 63n)
const MAX_RESULT = 2n ** 63n - 1n

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
  /** what of the spec the calls are for that are recorded now, where their arguments do not say it */
  about = ''
  /** the op from which on the child is a separate program: just the rest of this tape */
  second?: { at: number; stage: SecondStage }

  readonly #labels: Label[] = []
  /** whether the ops that are recorded now are made beside the child */
  aside = false

  record(call: Call, args: unknown[], limits: Limits = {}): Later {
    const op: Op = { call, args, min: 0n, max: MAX_RESULT, ...limits, part: this.part }
    if (this.aside) op.aside = true
    if (this.#note) op.note = this.#note
    if (this.about) op.about = this.about
    this.#note = ''
    this.ops.push(op)
    return new Later(op)
  }

  /** The same methods, but a refusal does not end the child: for paths that need not exist, or a search along PATH. */
  readonly attempt = recorder((call, args) => this.record(call, args, { min: MIN_RESULT }))

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

  /** Says why the next op is made. */
  note(text: string): void {
    this.#note = text
  }
  #note = ''

  /** The next op is where a branch to this label goes on. */
  mark(label: Label): void {
    label.at = this.ops.length
    this.#labels.push(label)
  }

  /** The same methods, but with limits of the result, and where the child goes on outside them. */
  branch(limits: Limits): Recorder {
    return recorder((call, args) => this.record(call, args, limits))
  }

  /** The same methods, but whatever the call returns, the child goes on at a label. */
  thenGoTo(label: Label): Recorder {
    return this.branch({ min: 0n, max: -1n, under: label, over: label })
  }

  /** Records calls before those that are recorded from `at` on. */
  insert(at: number, record: () => void): void {
    const rest = this.ops.splice(at)
    record()
    const more = this.ops.length - at
    for (const label of this.#labels) if (label.at >= at) label.at += more
    this.ops.push(...rest)
  }

  /** A second clone3: its child goes on replaying. The caller exits silently, or goes on at a label. */
  become(args: Args<'clone3'>[0], over?: Label): Later {
    return this.record('clone3', [args, 88], { max: 0n, ...(over && { over }) })
  }

  /** The calls of the child itself, in their order. */
  get own(): Op[] {
    return this.ops.filter(({ aside }) => !aside)
  }

  /**
   * The tape as text, before it ran. A result not yet known appears as `<openat #3>`, after the call that returns it; a label and a note in lines
   * before their op, and after an op where the child goes on if the result is outside the limits.
   */
  print(): string[] {
    return this.ops.flatMap((op, i) => {
      const args = op.args.map(arg => withResults(arg, of => `<${of.call} #${this.ops.indexOf(of) + 1}>`))
      const printed = parameters(op.call).map(({ kind }, k) =>
        op.args[k] instanceof Later ? String(args[k]) : kind.print(args[k]),
      )
      const labels = this.#labels.filter(({ at }) => at === i).map(({ name }) => `${name}:`)
      return [
        ...labels,
        ...(op.note ? [`# ${op.note}`] : []),
        `${op.call}(${printed.join(', ')})${printBranches(op)}`,
      ]
    })
  }
}

/** ` → next`, or only for some results: ` < 1 → ended`. Both may name the same place: ` ≠ 0 → next`. A refusal that is no failure goes on: ` EAGAIN → next call`. */
function printBranches({ min, max, under, over, allowed }: Op): string {
  if (under && under === over && max < min) return ` → ${under.name}`
  if (under && under === over && max === min) return ` ≠ ${min} → ${under.name}`
  const on = (under || over) && allowed?.map(result => ` ${errnoName(-Number(result))} → next call`)
  const when = [...(on ?? []), under && ` < ${min} → ${under.name}`, over && ` > ${max} → ${over.name}`]
  return when.filter(Boolean).join()
}

/** An argument with something in the place of each result of an earlier call. */
export function withResults(arg: unknown, put: (op: Op) => unknown): unknown {
  if (arg instanceof Later) return put(arg.op)
  if (Array.isArray(arg)) return arg.map(one => withResults(one, put))
  if (typeof arg !== 'object' || arg === null || ArrayBuffer.isView(arg)) return arg
  return Object.fromEntries(Object.entries(arg).map(([name, value]) => [name, withResults(value, put)]))
}

type Limits = Partial<Pick<Op, 'min' | 'max' | 'allowed' | 'under' | 'over'>>

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
