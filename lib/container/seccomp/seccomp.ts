import { certain } from '../../common/certain.ts'
// A seccomp profile compiled to the BPF program that the kernel runs before every system call of the container.
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
import { SECCOMP_FILTER_FLAG_NEW_LISTENER } from '../../kernel/syscalls/constants.ts'
import { type Arch, arch } from '../../kernel/syscalls/syscall-numbers.ts'
import {
  checkNotify,
  type ExactComparison,
  flagValue,
  notifies,
  type Operator,
  returnValue,
  type Rule,
  rulesByNumber,
  type Seccomp,
} from './seccomp-profile.ts'

type Test = (at: number, value: bigint, yes: Label, no: Label, mask?: bigint) => Program

/** Each comparison of an argument: the BPF test that implements it, and whether that test must hold or must fail. */
const operators: Record<Operator, [Test, boolean]> = {
  SCMP_CMP_EQ: [ifEqual64, true],
  SCMP_CMP_NE: [ifEqual64, false],
  SCMP_CMP_GT: [ifGreater64, true],
  SCMP_CMP_LE: [ifGreater64, false],
  SCMP_CMP_GE: [ifAtLeast64, true],
  SCMP_CMP_LT: [ifAtLeast64, false],
  SCMP_CMP_MASKED_EQ: [ifEqual64, true],
}

// struct seccomp_data { int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6]; }, little-endian
const NR = 0
const ARCH = 4
const ARGS = 16
const AUDIT_ARCH = { x64: 0xc000003e, arm64: 0xc00000b7 } // linux/audit.h
const X32_SYSCALL_BIT = 0x40000000
const { EPERM, ENOSYS } = constants.errno

/**
 * A seccomp profile as a program for seccomp(SECCOMP_SET_MODE_FILTER): `struct sock_filter[]`, 8 bytes an instruction.
 * - A foreign architecture (i386 and x32 code on x64, 32-bit ARM on arm64) has its own call numbers, for which we have
 *   no table: every such call is EPERM, listed or not. (runc filters the listed ones and kills on the others.)
 * - A call newer than every call that the profile names is ENOSYS, unless the default action allows it: programs fall
 *   back to an older call on ENOSYS, and give up on EPERM. As runc does.
 * - Names that this architecture does not have are ignored, as runc does.
 * - Among one call's rules, a rule without arguments wins; then the first that holds. A rule equal to the default is ignored.
 * @throws MinilabError (usage) for unknown words, numbers out of range, SCMP_ACT_NOTIFY without a listenerPath
 */
export function compileSeccomp(profile: Seccomp, on: Arch = arch): Uint8Array {
  checkNotify(profile)
  const fallback = returnValue(profile.defaultAction, profile.defaultErrnoRet)
  const foreign = returnValue('SCMP_ACT_ERRNO', EPERM)
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
    foreign,
    unknown,
    ...[...calls.values()].flat().map(rule => rule.action),
  ])
  return assemble([
    load(ARCH),
    ifEqual(AUDIT_ARCH[on], undefined, leave(foreign)),
    load(NR),
    ...(on === 'x64' ? [ifAtLeast(X32_SYSCALL_BIT, leave(foreign))] : []),
    ...search(ranges),
    ...[...chains.values()].flat(),
    ...[...results].flatMap(value => [leave(value), ret(value)]),
  ])
}

/**
 * The flags for seccomp(2). If the profile gives none: SPEC_ALLOW, as with runc, because a filtered container need not be slowed by
 * the Speculative Store Bypass mitigation. If the filter leaves calls to another program, seccomp(2) returns the descriptor for that.
 * @throws MinilabError (usage) for an unknown flag
 */
export function seccompFlags(profile: Seccomp): number {
  const wanted = profile.flags ?? ['SECCOMP_FILTER_FLAG_SPEC_ALLOW']
  const listens = notifies(profile) ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0
  return wanted.reduce((sum, flag) => sum | flagValue(flag), listens)
}

interface Range {
  from: number
  to: Label
}

/** Binary search for the range that contains the accumulator; it takes as many comparisons as bits are needed to number the ranges. */
function search(ranges: Range[]): Program {
  if (ranges.length === 1) return [jump(certain(ranges[0]).to)]
  const middle = ranges.length >> 1
  const [below, above] = [ranges.slice(0, middle), ranges.slice(middle)]
  const entry = (half: Range[]) =>
    half.length === 1
      ? certain(half[0]).to
      : `number from ${certain(half[0]).from} to ${certain(half.at(-1)).from}`
  const code = (half: Range[]) => (half.length === 1 ? [] : [entry(half), ...search(half)])
  return [ifAtLeast(certain(above[0]).from, entry(above), entry(below)), ...code(below), ...code(above)]
}

/** The rules of a call in order: the first rule whose comparisons all hold decides. */
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

const leave = (value: number) => `return ${value}`

const describe = ({ args, action }: Rule) =>
  `${args.map(arg => `args[${arg.index}] ${arg.op} ${arg.value} ${arg.valueTwo}`).join(' and ')}: ${leave(action)}`
