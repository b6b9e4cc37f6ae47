// OCI `linux.seccomp`: what a profile can say, and what its words mean for the kernel. runtime-spec config-linux.md#seccomp for the
// words; where it is silent we do what runc and libseccomp do.
import { constants } from 'node:os'
import { MinilabError } from '../../common/errors.ts'
import { hint } from '../../common/suggest.ts'
import { type Arch, numbers } from '../../kernel/syscalls/syscall-numbers.ts'

const { EPERM } = constants.errno

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

/** SECCOMP_FILTER_FLAG_* of linux/seccomp.h. TSYNC does nothing where one thread is about to become the container. */
const flags = {
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
}

const OPERATORS = [
  'SCMP_CMP_EQ',
  'SCMP_CMP_NE',
  'SCMP_CMP_GT',
  'SCMP_CMP_LE',
  'SCMP_CMP_GE',
  'SCMP_CMP_LT',
  'SCMP_CMP_MASKED_EQ',
] as const

/** How an argument can be compared. */
export type Operator = (typeof OPERATORS)[number]

/** One comparison. MASKED_EQ: `value` is the mask, `valueTwo` what must be left. Beyond 2^53 use a bigint. */
interface Comparison {
  index: number
  value: number | bigint
  valueTwo?: number | bigint
  op: Operator
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
export interface Rule {
  args: ExactComparison[]
  action: number
}

export type ExactComparison = Comparison & { value: bigint; valueTwo: bigint }

/** The rules of each system call that the profile names and this architecture has, by its number. */
export function rulesByNumber(profile: Seccomp, fallback: number, on: Arch): Map<number, Rule[]> {
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
    checkWord('operator', op, OPERATORS)
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
export function returnValue(action: keyof typeof actions, errnoRet?: number): number {
  checkWord('action', action, Object.keys(actions))
  const value = actions[action]
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

/** The bit of a flag of seccomp(2). */
export function flagValue(flag: keyof typeof flags): number {
  checkWord('flag', flag, Object.keys(flags))
  return flags[flag]
}

/** Throws a usage error for a word that a profile cannot have there. */
function checkWord(kind: string, word: string, words: readonly string[]): void {
  if (words.includes(word)) return
  throw new MinilabError(
    'usage',
    `unknown seccomp ${kind} ${JSON.stringify(word)}`,
    hint(word, words, `use one of ${words.join(', ')}`),
  )
}
