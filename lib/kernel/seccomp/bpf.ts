// Classic BPF, the language of seccomp filters: one 32-bit accumulator A, a read-only input, jumps only forward.
// linux/filter.h; Documentation/networking/filter.rst
import { MinilabError } from '../../common/errors.ts'

/** A place in a program. Strings are written by people; the assembler makes symbols for the places it adds. */
export type Label = string | symbol

/** One `struct sock_filter` before assembly. For a jump: where to go if it holds and if not; if omitted, to the next instruction. */
interface Instruction {
  code: number
  k: number
  yes?: Label
  no?: Label
}

/** Instructions in order; a bare label marks the place of the instruction after it. */
export type Program = (Instruction | Label)[]

// The opcodes are sums of linux/bpf_common.h: class | size or operation | mode or source.
const BPF_JMP = 0x05
const BPF_JA = BPF_JMP | 0x00
const BPF_MAXINSNS = 4096

/** A = the 32 bits at `offset` of the input. */
export const load = (offset: number): Instruction => ({ code: 0x20, k: offset })
/** A &= k */
export const and = (k: number): Instruction => ({ code: 0x54, k })
/** Go to a label. */
export const jump = (to: Label): Instruction => ({ code: BPF_JA, k: 0, yes: to })
/** Where to go when A == k, and when not. */
export const ifEqual = (k: number, yes?: Label, no?: Label): Instruction => ({ code: 0x15, k, yes, no })
/** Where to go when A > k (unsigned), and when not. */
export const ifGreater = (k: number, yes?: Label, no?: Label): Instruction => ({ code: 0x25, k, yes, no })
/** Where to go when A >= k (unsigned), and when not. */
export const ifAtLeast = (k: number, yes?: Label, no?: Label): Instruction => ({ code: 0x35, k, yes, no })
/** End with the value k. */
export const ret = (k: number): Instruction => ({ code: 0x06, k })

// A has 32 bits. The 64 bits at `at` of the input (little-endian: the low half first) are compared in two halves, the
// high one first; the low one decides if the high ones are equal.

/** Where to go when the 64 bits at `at`, masked with `mask`, equal those of `value`, and when not. */
export function ifEqual64(at: number, value: bigint, yes: Label, no: Label, mask = 2n ** 64n - 1n): Program {
  const half = (offset: number, value: number, mask: number, yes?: Label) => [
    load(offset),
    ...(mask === 0xffff_ffff ? [] : [and(mask)]),
    ifEqual(value, yes, no),
  ]
  return [...half(at + 4, high(value & mask), high(mask)), ...half(at, low(value & mask), low(mask), yes)]
}

/** Where to go when the 64 bits at `at` > value (unsigned), and when not. */
export function ifGreater64(at: number, value: bigint, yes: Label, no: Label): Program {
  return [...ifHighDiffers(at, value, yes, no), load(at), ifGreater(low(value), yes, no)]
}

/** Where to go when the 64 bits at `at` >= value (unsigned), and when not. */
export function ifAtLeast64(at: number, value: bigint, yes: Label, no: Label): Program {
  return [...ifHighDiffers(at, value, yes, no), load(at), ifAtLeast(low(value), yes, no)]
}

const ifHighDiffers = (at: number, value: bigint, greater: Label, less: Label): Program => [
  load(at + 4),
  ifGreater(high(value), greater),
  ifEqual(high(value), undefined, less),
]

const high = (value: bigint) => Number(value >> 32n)
const low = (value: bigint) => Number(value & 0xffff_ffffn)

/**
 * The program in the kernel's format: `struct sock_filter[]`, 8 bytes each, little-endian like x64 and arm64.
 * @throws MinilabError (usage) when it is longer than the kernel accepts
 */
export function assemble(program: Program): Uint8Array {
  const places = locate(program)
  const instructions = program.filter(item => typeof item === 'object')

  // A conditional jump has 8 bits for each branch, the unconditional one 32. Widening moves what follows, so start over.
  let here = 0
  const widened = program.flatMap(item => {
    if (typeof item !== 'object') return [item]
    const next = ++here
    const reaches = (to?: Label) => distance(places, next, to) <= 255
    return item.code === BPF_JA || (reaches(item.yes) && reaches(item.no)) ? [item] : widen(item)
  })
  if (widened.length > program.length) return assemble(widened)

  if (instructions.length > BPF_MAXINSNS) {
    throw new MinilabError(
      'usage',
      `the BPF program has ${instructions.length} instructions; the kernel takes ${BPF_MAXINSNS}`,
      'use fewer rules with arguments',
    )
  }
  const bytes = new DataView(new ArrayBuffer(instructions.length * 8))
  for (const [index, { code, k, yes, no }] of instructions.entries()) {
    const far = code === BPF_JA
    bytes.setUint16(index * 8, code, true)
    bytes.setUint8(index * 8 + 2, far ? 0 : distance(places, index + 1, yes))
    bytes.setUint8(index * 8 + 3, far ? 0 : distance(places, index + 1, no))
    bytes.setUint32(index * 8 + 4, far ? distance(places, index + 1, yes) : k, true)
  }
  return new Uint8Array(bytes.buffer)
}

/** The index of the instruction that follows each label. */
function locate(program: Program): Map<Label, number> {
  const places = new Map<Label, number>()
  let here = 0
  for (const item of program) {
    if (typeof item === 'object') here++
    else if (places.has(item)) throw new RangeError(`BPF label twice: ${String(item)}`)
    else places.set(item, here)
  }
  return places
}

/** How many instructions a jump skips: the kernel counts from the one after the jump, and allows no backward jump. */
function distance(places: Map<Label, number>, next: number, to: Label | undefined): number {
  const skip = to === undefined ? 0 : (places.get(to) ?? -1) - next
  if (skip < 0) throw new RangeError(`BPF label not found further on: ${String(to)}`)
  return skip
}

/** The same conditional jump, made of two unconditional jumps beside it. */
function widen({ code, k, yes, no }: Instruction): Program {
  const otherwise = Symbol('otherwise')
  const after = Symbol('after')
  return [{ code, k, no: otherwise }, jump(yes ?? after), otherwise, jump(no ?? after), after]
}
