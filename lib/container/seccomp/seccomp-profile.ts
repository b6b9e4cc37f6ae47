// OCI `linux.seccomp`: what a profile can say, and what its words mean to the kernel. The words come from runtime-spec
// config-linux.md#seccomp; where it is silent, we follow runc and libseccomp.
import { constants } from 'node:os'
import { MinilabError } from '../../common/errors.ts'
import { hint } from '../../common/suggest.ts'
import { type Arch, numbers } from '../../kernel/syscalls/syscall-numbers.ts'

const { EPERM } = constants.errno

/** The kernel's reaction to a call: SECCOMP_RET_* of linux/seccomp.h. */
const actions = {
  SCMP_ACT_KILL: 0x00000000, // kills the thread, for historical reasons
  SCMP_ACT_KILL_THREAD: 0x00000000,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000, // SIGSYS
  SCMP_ACT_ERRNO: 0x00050000, // the low 16 bits are the errno
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000, // the low 16 bits are a message to the tracer
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
}

/** The words for the actions. */
export const ACTION_NAMES = Object.keys(actions)

/** SECCOMP_FILTER_FLAG_* of linux/seccomp.h. TSYNC has no effect, because the child that becomes the container has one thread. */
const flags = {
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 32,
}

/** The comparisons of an argument. */
export const OPERATORS = [
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

/** One comparison. MASKED_EQ: `value` is the mask, `valueTwo` the expected result. Beyond 2^53 use a bigint. */
interface Comparison {
  index: number
  value: number | bigint
  valueTwo?: number | bigint
  op: Operator
}

/** OCI `linux.seccomp`. Without `args` a rule always holds. Its args must all hold, or any of them if one index occurs twice. */
export interface Seccomp {
  defaultAction: keyof typeof actions
  defaultErrnoRet?: number
  /** Ignored: the machine's own architecture is always filtered, any other always refused. */
  architectures?: string[]
  flags?: (keyof typeof flags)[]
  syscalls?: { names: string[]; action: keyof typeof actions; errnoRet?: number; args?: Comparison[] }[]
  /** The socket of the program that decides about calls with SCMP_ACT_NOTIFY, and a text for it. Only for `minilab-oci`. */
  listenerPath?: string
  listenerMetadata?: string
}

const NOTIFY = 'SCMP_ACT_NOTIFY'

/** Whether the filter leaves a call to another program: seccomp_unotify(2). */
export const notifies = (profile: Seccomp | undefined): boolean =>
  profile?.syscalls?.some(({ action }) => action === NOTIFY) ?? false

/**
 * Throws a usage error if the calls with SCMP_ACT_NOTIFY could never be answered. The child, which has the filter, tells its parent by
 * write(2) that there is a listener: if that call had to be answered first, both would wait for ever. The words are those of runc.
 */
export function checkNotify(profile: Seccomp): void {
  const refuse = (message: string, remedy: string) => {
    throw new MinilabError('usage', message, remedy)
  }
  if (profile.defaultAction === NOTIFY)
    refuse(`${NOTIFY} cannot be used as default action`, 'name the calls in syscalls')
  const asked = profile.syscalls?.filter(({ action }) => action === NOTIFY) ?? []
  if (asked.some(({ names }) => names.includes('write')))
    refuse(`${NOTIFY} cannot be used for the write syscall`, 'leave write out of its names')
  if (asked.length > 0 && !profile.listenerPath)
    refuse(
      `seccomp action ${NOTIFY} needs a listener, and listenerPath is not set`,
      'with minilab-oci, set linux.seccomp.listenerPath; otherwise use SCMP_ACT_ERRNO',
    )
}

/** A rule of one system call; `action` is the value that the program returns. */
export interface Rule {
  args: ExactComparison[]
  action: number
}

export type ExactComparison = Comparison & { value: bigint; valueTwo: bigint }

/** The rules of each system call that the profile names and this architecture has, by call number. */
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

/** libseccomp takes each argument once per rule; if one occurs twice, runc makes a rule of each comparison: "or" instead of "and". */
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
  // JSON.parse rounds numbers beyond 2^53: a filter must not compare with a number that is not in the profile
  const whole = typeof value === 'bigint' || Number.isSafeInteger(value)
  if (whole && value >= 0 && value < 2n ** 64n) return BigInt(value)
  throw new MinilabError(
    'usage',
    `seccomp argument value ${value} is not exact`,
    'use a whole number from 0 to 2^53 - 1',
  )
}

/** The return value for an action. */
export function returnValue(action: keyof typeof actions, errnoRet?: number): number {
  checkWord('action', action, Object.keys(actions))
  const value = actions[action]
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

/** Throws a usage error for a word that is not valid at this place of a profile. */
function checkWord(kind: string, word: string, words: readonly string[]): void {
  if (words.includes(word)) return
  throw new MinilabError(
    'usage',
    `unknown seccomp ${kind} ${JSON.stringify(word)}`,
    hint(word, words, `use one of ${words.join(', ')}`),
  )
}
