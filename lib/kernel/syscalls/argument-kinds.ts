import { constants as os } from 'node:os'
import { type Arena, Filled, type Word } from './arena.ts'
import * as constants from './constants.ts'

/**
 * The kinds of arguments that system calls take: how each becomes a 64-bit word, and how it is printed.
 * The table of system calls (syscalls.ts) names these kinds; types, encoding and printing all come from here.
 */
interface OpenHow {
  flags: number
  mode?: number
  resolve?: number
}
/** struct clone_args of clone3(2), the members that we use. `stack` is allocated when it is encoded. */
interface CloneArgs {
  flags: number
  exitSignal?: number
  /** 4 bytes that CLONE_PARENT_SETTID fills with the child's pid */
  parentTid?: Uint8Array
}
interface Rlimit {
  cur: number | bigint
  max: number | bigint
}
const CLONE_STACK = 16384
/** One piece of what writev(2) writes: bytes, or 64-bit words. */
interface Iovec {
  base: Uint8Array | readonly Word[]
  length: Word
}

/** A struct: its bytes, and what its pointers lead to. */
type Pieces = readonly (Uint8Array | { at: Uint8Array | Pieces })[]

/** The required type of a value, in words, for a caller without type checks. */
interface Form {
  /** `a string` */
  description: string
  fits(value: unknown): boolean
}
interface Kind<T> {
  form: Form
  encode(value: T, arena: Arena): bigint | number
  print(value: T): string
}
const NUMBER: Form = {
  description: 'a whole number',
  fits: value => typeof value === 'bigint' || Number.isInteger(value),
}
const TEXT: Form = { description: 'a string', fits: value => typeof value === 'string' }
const listOf = ({ description, fits }: Form): Form => ({
  description: `a list of ${description.replace(/^an? /, '')}s`,
  fits: value => Array.isArray(value) && value.every(fits),
})
const BYTES: Form = { description: 'a Uint8Array', fits: value => value instanceof Uint8Array }
const OBJECT: Form = { description: 'an object', fits: value => typeof value === 'object' && value !== null }
const either = (one: Form, other: Form): Form => ({
  description: `${one.description} or ${other.description}`,
  fits: value => one.fits(value) || other.fits(value),
})
const kind = <T>(form: Form, encode: Kind<T>['encode'], print: Kind<T>['print']): Kind<T> => ({
  form,
  encode,
  print,
})

/** All signals, as a set: every one of the 64 bits. */
export const ALL_SIGNALS = 2n ** 64n - 1n

const number = kind<number | bigint>(NUMBER, v => v, String)
const text = kind<string>(TEXT, (v, arena) => arena.cstring(v), quote)
const octal = kind<number>(
  NUMBER,
  v => v,
  v => '0' + v.toString(8),
)
const hex = kind<number | bigint>(
  NUMBER,
  v => v,
  v => '0x' + v.toString(16),
)
const strings = (print: (v: readonly string[]) => string) =>
  kind<readonly string[]>(listOf(TEXT), (v, arena) => arena.strings(v), print)

const kinds = {
  int: number,
  size: number,
  pid: number,
  fd: number,
  dirfd: kind<number>(
    NUMBER,
    v => v,
    v => (v === constants.AT_FDCWD ? 'AT_FDCWD' : String(v)),
  ),
  octal,
  hex,
  dev: kind<number>(
    NUMBER,
    v => v,
    v => `makedev(${v >> 8}, ${v & 255})`,
  ),
  path: text,
  string: text,
  argv: strings(v => `[${v.map(quote).join(', ')}]`),
  envp: strings(v => `/* ${v.length} ${v.length === 1 ? 'var' : 'vars'} */`),
  bytes: kind<Uint8Array>(BYTES, (v, arena) => arena.put(v), printBytes),
  int_or_buffer: kind<number | Uint8Array>(
    either(NUMBER, BYTES),
    (v, arena) => (typeof v === 'number' ? v : arena.out(v)),
    v => (typeof v === 'number' ? String(v) : printBytes(v)),
  ),
  out: kind<Uint8Array>(BYTES, (v, arena) => arena.out(v), printBytes),
  sockaddr: kind<Uint8Array>(BYTES, (v, arena) => arena.put(v), printSockaddr),
  sockaddr_out: kind<Uint8Array>(BYTES, (v, arena) => arena.out(v), printSockaddr),
  // socket(2): a type in the low bits, flags above
  sock: kind<number>(
    NUMBER,
    v => v,
    v => [enumerator('SOCK_', v & 15), ...(v >> 4 ? [flags('SOCK_', v & ~15)] : [])].join('|'),
  ),
  open_how: kind<OpenHow>(
    OBJECT,
    (v, arena) => arena.words([v.flags, v.mode ?? 0, v.resolve ?? 0]),
    v =>
      `{flags=${flags('O_', v.flags)}, mode=0${(v.mode ?? 0).toString(8)}, resolve=${flags('RESOLVE_', v.resolve ?? 0)}}`,
  ),
  // clone3(2): the stack is given by its lowest address and its size
  clone_args: kind<CloneArgs>(
    OBJECT,
    (v, arena) => {
      const stack = arena.address(arena.reserve(CLONE_STACK))
      const parentTid = v.parentTid ? arena.out(v.parentTid) : 0
      return arena.words([v.flags, 0, 0, parentTid, v.exitSignal ?? 0, stack, CLONE_STACK, 0, 0, 0, 0])
    },
    v => `{flags=${flags('CLONE_', v.flags)}, exit_signal=${v.exitSignal ?? 0}}`,
  ),
  rlimit: kind<Rlimit>(
    OBJECT,
    (v, arena) => arena.words([v.cur, v.max]),
    v => `{rlim_cur=${v.cur}, rlim_max=${v.max}}`,
  ),
  // seccomp(2): struct sock_fprog {unsigned short len; struct sock_filter *filter}
  sock_fprog: kind<Uint8Array>(
    BYTES,
    (v, arena) => arena.words([v.length / 8, arena.put(v)]),
    v => `{len=${v.length / 8}, filter=/* BPF */}`,
  ),
  // a struct in pieces: bytes, and pointers to bytes or to a struct in pieces
  pieces: kind<Pieces>(
    listOf(OBJECT),
    putPieces,
    v => `{/* ${v.length} ${v.length === 1 ? 'piece' : 'pieces'} */}`,
  ),
  // struct sigaction: handler, flags, restorer, mask. A handler is machine code, and the child can run none of ours
  sigaction: kind<'SIG_DFL' | 'SIG_IGN' | { handler: bigint; restorer: bigint }>(
    either(TEXT, OBJECT),
    (v, arena) =>
      arena.words(
        typeof v === 'string'
          ? [v === 'SIG_IGN' ? 1 : 0, 0, 0, 0]
          : [v.handler, constants.SA_RESTART + constants.SA_RESTORER, v.restorer, 0],
      ),
    v => `{sa_handler=${typeof v === 'string' ? v : '/* ours */'}}`,
  ),
  // its name, as kill -l prints it
  signal: kind<number>(
    NUMBER,
    v => v,
    v => Object.entries(os.signals).find(([, one]) => one === v)?.[0] ?? String(v),
  ),
  // sigset_t: a bit for each signal
  sigset: kind<bigint>(
    NUMBER,
    (v, arena) => arena.words([v]),
    v => (v === ALL_SIGNALS ? '~[]' : v === 0n ? '[]' : `0x${v.toString(16)}`),
  ),
  // clone(2): the lowest byte is the signal that the parent gets at its end
  clone_flags: kind<number>(
    NUMBER,
    v => v,
    v => flags('CLONE_', v & ~0xff) + ((v & 0xff) === os.signals.SIGCHLD ? '|SIGCHLD' : `|${v & 0xff}`),
  ),
  uid_list: kind<readonly number[]>(
    listOf(NUMBER),
    (v, arena) => arena.put(new Uint8Array(Uint32Array.from(v).buffer)),
    v => `[${v.join(', ')}]`,
  ),
  // readv(2): struct iovec {void *iov_base; size_t iov_len}
  iovec: kind<readonly Iovec[]>(
    listOf(OBJECT),
    (v, arena) =>
      arena.words(
        v.flatMap(({ base, length }) => [
          base instanceof Uint8Array ? arena.out(base) : arena.words(base),
          length,
        ]),
      ),
    v => `[${v.map(printIovec).join(', ')}]`,
  ),
  // timespec pairs for utimensat(2), in nanoseconds since the epoch
  times: kind<readonly [atime: bigint, mtime: bigint]>(
    listOf(NUMBER),
    (v, arena) => arena.words(v.flatMap(ns => [ns / 1_000_000_000n, ns % 1_000_000_000n])),
    v => `[${v.join(', ')}]`,
  ),
} satisfies Record<string, Kind<never>>

function putPieces(pieces: Pieces, arena: Arena): bigint {
  const bytes = pieces.map(piece => {
    if (piece instanceof Uint8Array) return piece
    const address = piece.at instanceof Uint8Array ? arena.put(piece.at) : putPieces(piece.at, arena)
    return new Uint8Array(BigUint64Array.of(address).buffer)
  })
  return arena.put(Buffer.concat(bytes))
}

/** A tape has put a text in the place of a result that is not known yet. */
function printWord(word: Word | string): string {
  if (typeof word === 'object') return '<a result>'
  return typeof word === 'bigint' && word > 9n ** 9n ? `0x${word.toString(16)}` : String(word)
}

function printIovec({ base, length }: Iovec): string {
  const bytes = base instanceof Uint8Array ? printBytes(base) : `{${base.map(printWord).join(', ')}}`
  return `{iov_base=${bytes}, iov_len=${printWord(length)}}`
}

type Kinds = typeof kinds
type BaseValue<K extends string> = K extends keyof Kinds
  ? Kinds[K] extends Kind<infer T>
    ? T
    : never
  : K extends `${'flags' | 'enum'}:${string}`
    ? number
    : never

/** The TypeScript type of an argument kind: `path` → string, `path?` → string | null, `flags:MS_` → number. */
export type ValueOf<K extends string> = K extends `${infer Base}?` ? BaseValue<Base> | null : BaseValue<K>

/** Finds how to encode and print a kind by its name in the table. */
export function kindOf(name: string): Kind<unknown> {
  const [base = '', prefix] = name.replace(/\?$/, '').split(':')
  let found: Kind<never>
  if (prefix !== undefined) {
    const symbolic = base === 'flags' ? flags : enumerator
    found = kind<number>(
      NUMBER,
      v => v,
      v => symbolic(prefix, v),
    )
  } else found = kinds[base as keyof Kinds]
  if (!name.endsWith('?')) return found as Kind<unknown>
  return kind<unknown>(
    either(found.form, { description: 'null', fits: value => value === null }),
    (v, arena) => (v === null ? 0 : found.encode(v as never, arena)),
    v => (v === null ? 'NULL' : found.print(v as never)),
  )
}

/** `MS_REC|MS_PRIVATE`; bits without a name in hexadecimal. 0 stays 0 (but O_RDONLY, which is 0, is named). */
export function flags(prefix: string, value: number): string {
  const names: string[] = []
  let rest = BigInt(value)
  for (const [name, bit] of group(prefix)) {
    if (bit !== 0n && (rest & bit) === bit) {
      names.push(name)
      rest &= ~bit
    }
  }
  if (prefix === 'O_' && (value & 3) === 0) names.unshift('O_RDONLY')
  if (rest !== 0n) names.push('0x' + rest.toString(16))
  return names.join('|') || '0'
}

function enumerator(prefix: string, value: number): string {
  return group(prefix).find(([, v]) => v === BigInt(value))?.[0] ?? String(value)
}

// lowest bit first, as in strace
const byValue = Object.entries(constants)
  .map(([name, value]) => [name, BigInt(value)] as const)
  .sort(([, a], [, b]) => Number(a - b))

const groups = new Map<string, typeof byValue>()

/** The constants with a prefix, or with several: `OPEN_TREE_|AT_`. Looked for once: a tape prints some hundred arguments. */
function group(prefix: string): typeof byValue {
  let group = groups.get(prefix)
  if (!group) {
    const prefixes = prefix.split('|')
    group = byValue.filter(([name]) => prefixes.some(one => name.startsWith(one)))
    groups.set(prefix, group)
  }
  return group
}

/** A C string literal. */
export function quote(s: string): string {
  return JSON.stringify(s)
}

/** `{AF_INET, 10.44.0.2:80}`: shorter than in strace, with everything that matters. */
function printSockaddr(v: Uint8Array): string {
  const bytes = Buffer.from(v)
  const family = bytes.readUInt16LE()
  if (family !== constants.AF_INET) return `{${enumerator('AF_', family)}}`
  return `{AF_INET, ${bytes.subarray(4, 8).join('.')}:${bytes.readUInt16BE(2)}}`
}

function printBytes(v: Uint8Array): string {
  if (v instanceof Filled) return String(v)
  const printable = v.length <= 32 && v.every(b => b >= 32 && b < 127)
  return printable ? quote(Buffer.from(v).toString()) : `/* ${v.length} bytes */`
}
