// OCI `linux.seccomp` compiled to the BPF program that seccomp(2) runs before every system call of the container.
// runtime-spec config-linux.md#seccomp for the words; where it is silent we do what runc and libseccomp do.
import { constants } from 'node:os'
import {
  assemble,
  ifAtLeast,
  ifAtLeast64,
  ifEqual,
  ifEqual64,
  ifGreater64,
  jump,
  load,
  ret,
} from '../../kernel/seccomp/bpf.ts'
import type { Label, Program } from '../../kernel/seccomp/bpf.ts'
import { MinilabError } from '../../common/errors.ts'
import { hint } from '../../common/suggest.ts'
import { arch, numbers } from '../../kernel/syscalls/syscall-numbers.ts'
import type { Arch } from '../../kernel/syscalls/syscall-numbers.ts'

/** What the kernel does with a call: SECCOMP_RET_* of linux/seccomp.h. */
const actions = {
  SCMP_ACT_KILL: 0x00000000, // the thread, for historical reasons
  SCMP_ACT_KILL_THREAD: 0x00000000,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000, // SIGSYS
  SCMP_ACT_ERRNO: 0x00050000, // the low 16 bits are the errno
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000, // the low 16 bits are a message to the tracer
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
}

type Test = (at: number, value: bigint, yes: Label, no: Label, mask?: bigint) => Program

/** Each comparison of an argument: the one it is made of, and whether that one must hold or must fail. */
const operators: Record<
  `SCMP_CMP_${'EQ' | 'NE' | 'GT' | 'LE' | 'GE' | 'LT' | 'MASKED_EQ'}`,
  [Test, boolean]
> = {
  SCMP_CMP_EQ: [ifEqual64, true],
  SCMP_CMP_NE: [ifEqual64, false],
  SCMP_CMP_GT: [ifGreater64, true],
  SCMP_CMP_LE: [ifGreater64, false],
  SCMP_CMP_GE: [ifAtLeast64, true],
  SCMP_CMP_LT: [ifAtLeast64, false],
  SCMP_CMP_MASKED_EQ: [ifEqual64, true],
}

/** SECCOMP_FILTER_FLAG_* of linux/seccomp.h. TSYNC does nothing where one thread is about to become the container. */
const flags = {
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
}

/** One comparison. MASKED_EQ: `value` is the mask, `valueTwo` what must be left. Beyond 2^53 use a bigint. */
interface Comparison {
  index: number
  value: number | bigint
  valueTwo?: number | bigint
  op: keyof typeof operators
}

/** OCI `linux.seccomp`. Without `args` a rule always holds; its args must all hold, or any when one index comes twice. */
export interface Seccomp {
  defaultAction: keyof typeof actions
  defaultErrnoRet?: number
  /** Not looked at: the machine's own architecture is always filtered, any other always refused. */
  architectures?: string[]
  flags?: (keyof typeof flags)[]
  syscalls?: { names: string[]; action: keyof typeof actions; errnoRet?: number; args?: Comparison[] }[]
}

/** A rule of one system call; `action` is the value that the program returns. */
interface Rule {
  args: ExactComparison[]
  action: number
}

type ExactComparison = Comparison & { value: bigint; valueTwo: bigint }

// struct seccomp_data { int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; }, little-endian
const NR = 0
const ARCH = 4
const ARGS = 16
const AUDIT_ARCH = { x64: 0xc000003e, arm64: 0xc00000b7 } // linux/audit.h
const X32_SYSCALL_BIT = 0x40000000
const { EPERM, ENOSYS } = constants.errno

/**
 * A seccomp profile as a program for seccomp(SECCOMP_SET_MODE_FILTER): `struct sock_filter[]`, 8 bytes an instruction.
 * - A foreign architecture (i386 and x32 code on x64, 32-bit ARM on arm64) has numbers of its own, which we have no
 *   table for: every such call is EPERM, listed or not. (runc filters the listed ones and kills on the others.)
 * - A call newer than every call that the profile names is ENOSYS, unless the default lets it pass: programs fall
 *   back to an older call on ENOSYS, and give up on EPERM. As runc does.
 * - Names that this architecture does not have are ignored, as runc does.
 * - Of one call's rules, one without arguments wins; then the first that holds. A rule that says the default is none.
 * @throws MinilabError (usage) for unknown words, numbers out of range, SCMP_ACT_NOTIFY (it needs a listener)
 */
export function compileSeccomp(profile: Seccomp, on: Arch = arch): Uint8Array {
  const fallback = returnValue(profile.defaultAction, profile.defaultErrnoRet)
  const refused = returnValue('SCMP_ACT_ERRNO', EPERM)
  const permissive = ['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'].includes(profile.defaultAction)
  const unknown = permissive ? fallback : returnValue('SCMP_ACT_ERRNO', ENOSYS)

  const calls = rulesByNumber(profile, fallback, on)
  const newest = Math.max(...calls.keys())
  const chains = new Map<string, Program>()
  const ranges: Range[] = []
  for (let nr = 0; nr <= newest; nr++) {
    const rules = calls.get(nr) ?? []
    const always = rules.find(rule => rule.args.length === 0)
    const decided = always || rules.length === 0
    const to = decided ? leave(always?.action ?? fallback) : rules.map(describe).join(' or ')
    if (!decided) chains.set(to, chain(to, rules, leave(fallback)))
    if (to !== ranges.at(-1)?.to) ranges.push({ from: nr, to })
  }
  ranges.push({ from: Math.max(0, newest + 1), to: leave(calls.size > 0 ? unknown : fallback) })

  const results = new Set([
    fallback,
    refused,
    unknown,
    ...[...calls.values()].flat().map(rule => rule.action),
  ])
  return assemble([
    load(ARCH),
    ifEqual(AUDIT_ARCH[on], undefined, leave(refused)),
    load(NR),
    ...(on === 'x64' ? [ifAtLeast(X32_SYSCALL_BIT, leave(refused))] : []),
    ...search(ranges),
    ...[...chains.values()].flat(),
    ...[...results].flatMap(value => [leave(value), ret(value)]),
  ])
}

/**
 * The flags for seccomp(2). Without any in the profile SPEC_ALLOW, as runc: a filtered container need not be slowed by
 * the Speculative Store Bypass mitigation.
 * @throws MinilabError (usage) for an unknown flag
 */
export function seccompFlags(profile: Seccomp): number {
  const wanted = profile.flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']
  return wanted.reduce((sum, flag) => sum | known('flag', flag, flags), 0)
}

/** The rules of each system call that the profile names and this architecture has, by its number. */
function rulesByNumber(profile: Seccomp, fallback: number, on: Arch): Map<number, Rule[]> {
  const calls = new Map<number, Rule[]>()
  for (const { names, action: word, errnoRet, args } of profile.syscalls ?? []) {
    const action = returnValue(word, errnoRet)
    const alternatives = combine(args ?? [])
    for (const name of names) {
      const number =
        Object.hasOwn(numbers, name) && numbers[name as keyof typeof numbers][on === 'x64' ? 0 : 1]
      if (typeof number !== 'number') continue
      const rules = calls.get(number) ?? []
      if (action !== fallback) rules.push(...alternatives.map(args => ({ args, action })))
      calls.set(number, rules)
    }
  }
  return calls
}

/** libseccomp takes an argument once a rule; with one twice runc makes a rule of each comparison: "or" for "and". */
function combine(args: Comparison[]): ExactComparison[][] {
  const comparisons = args.map(({ index, op, value, valueTwo }) => {
    known('operator', op, operators)
    if (![0, 1, 2, 3, 4, 5].includes(index)) {
      throw new MinilabError(
        'usage',
        `seccomp argument index ${index} is out of range`,
        'arguments are counted from 0 to 5',
      )
    }
    return { index, op, value: exact(value), valueTwo: exact(valueTwo ?? 0) }
  })
  const once = new Set(args.map(arg => arg.index)).size === args.length
  return once ? [comparisons] : comparisons.map(comparison => [comparison])
}

interface Range {
  from: number
  to: Label
}

/** Binary search for the range that the accumulator is in, in as many comparisons as it takes bits to number them. */
function search(ranges: Range[]): Program {
  if (ranges.length === 1) return [jump(ranges[0]!.to)]
  const middle = ranges.length >> 1
  const [below, above] = [ranges.slice(0, middle), ranges.slice(middle)]
  const entry = (half: Range[]) =>
    half.length === 1 ? half[0]!.to : `number from ${half[0]!.from} to ${half.at(-1)!.from}`
  const code = (half: Range[]) => (half.length === 1 ? [] : [entry(half), ...search(half)])
  return [ifAtLeast(above[0]!.from, entry(above), entry(below)), ...code(below), ...code(above)]
}

/** The rules of a call one after the other: the first whose comparisons all hold decides. */
function chain(name: string, rules: Rule[], otherwise: Label): Program {
  const step = (rule: number, arg: number) => (rule === rules.length ? otherwise : `${name} ${rule}.${arg}`)
  const code = rules.flatMap(({ args, action }, i) =>
    args.flatMap((arg, j) => [
      step(i, j),
      ...compare(arg, j + 1 < args.length ? step(i, j + 1) : leave(action), step(i + 1, 0)),
    ]),
  )
  return [name, ...code]
}

function compare({ index, op, value, valueTwo }: ExactComparison, yes: Label, no: Label): Program {
  const [test, wanted] = operators[op]
  const [datum, mask] = op === 'SCMP_CMP_MASKED_EQ' ? [valueTwo, value] : [value, undefined]
  return test(ARGS + index * 8, datum, wanted ? yes : no, wanted ? no : yes, mask)
}

/** A value of the profile as 64 bits. */
function exact(value: number | bigint): bigint {
  // JSON.parse rounds what is beyond 2^53: a filter must not compare with a number that nobody wrote
  const whole = typeof value === 'bigint' || Number.isSafeInteger(value)
  if (whole && value >= 0 && value < 2n ** 64n) return BigInt(value)
  throw new MinilabError(
    'usage',
    `seccomp argument value ${value} is not exact`,
    'use a whole number from 0 to 2^53 - 1',
  )
}

/** The value that makes the kernel take this action. */
function returnValue(action: keyof typeof actions, errnoRet?: number): number {
  const value = known('action', action, actions)
  if (action === 'SCMP_ACT_NOTIFY') {
    throw new MinilabError(
      'usage',
      'seccomp action SCMP_ACT_NOTIFY needs a listener, which minilab has not',
      'use SCMP_ACT_ERRNO',
    )
  }
  if (action !== 'SCMP_ACT_ERRNO' && action !== 'SCMP_ACT_TRACE') {
    if (errnoRet === undefined) return value
    throw new MinilabError(
      'usage',
      `seccomp action ${action} takes no errnoRet`,
      'leave errnoRet out, or use SCMP_ACT_ERRNO',
    )
  }
  const errno = errnoRet ?? EPERM
  if (Number.isInteger(errno) && errno >= 0 && errno <= 4095) return value | errno
  throw new MinilabError(
    'usage',
    `seccomp errnoRet ${errno} is out of range`,
    'use a number from 0 to 4095, see errno(3)',
  )
}

/** The entry of a table under a word of the profile. */
function known<T>(kind: string, word: string, table: Record<string, T>): T {
  if (Object.hasOwn(table, word)) return table[word]!
  const names = Object.keys(table)
  throw new MinilabError(
    'usage',
    `unknown seccomp ${kind} ${JSON.stringify(word)}`,
    hint(word, names, `use one of ${names.join(', ')}`),
  )
}

const leave = (value: number) => `return ${value}`

const describe = ({ args, action }: Rule) =>
  `${args.map(arg => `args[${arg.index}] ${arg.op} ${arg.value} ${arg.valueTwo}`).join(' and ')}: ${leave(action)}`
