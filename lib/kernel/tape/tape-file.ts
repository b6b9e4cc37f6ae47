import { ftruncateSync, writeSync } from 'node:fs'
import { AT_EMPTY_PATH } from '../syscalls/constants.ts'
import { Arena } from '../syscalls/arena.ts'
import { memoryFile } from '../process/memory-file.ts'
import { programFile } from '../process/program-file.ts'
import { arch } from '../syscalls/syscall-numbers.ts'
import { ENTRY, launchpad } from './launchpad.ts'
import type { Tape } from './tape.ts'

/**
 * Where the tape lies in the memory of a program that is nothing but a tape, and its descriptor for it: launchpad.*.S. In us, libuv
 * uses that number.
 */
export const BASE = 0x10000000n
export const TAPE_FD = 9

/** Before the ops: the address of the first op, and the address after the last one. */
const HEADER = 16

const PAGE = 4096
const ZEROS = Buffer.alloc(PAGE)

/**
 * A tape in a file, for a process that executes a program which replays it: less than 700 bytes, in a sealed file. The file is in
 * memory, unless an empty one is given that is open for reading and writing.
 */
export class TapeFile {
  readonly fd: number
  /** what the file will contain; its addresses are those of the process */
  readonly arena = Arena.take(BASE)

  constructor(fd = memoryFile('minilab-tape', 'data')) {
    this.fd = fd
    this.arena.reserve(HEADER)
  }

  /** Fills the file from the arena: with the ops between the two addresses. */
  fill([first, end]: readonly [bigint, bigint]): void {
    this.arena.view.setBigUint64(0, first, true)
    this.arena.view.setBigUint64(8, end, true)
    const { used } = this.arena
    ftruncateSync(this.fd, used.length)
    // pages of zeros, such as buffers, stay holes: they take memory only when they are used
    for (let at = 0, end = 0; at < used.length; at = end) {
      end = Math.min(at + PAGE, used.length)
      if (Buffer.compare(used.subarray(at, end), ZEROS.subarray(0, end - at)) === 0) continue
      for (let from = at; from < end;) from += writeSync(this.fd, used, from, end - from, from)
    }
  }

  /** The descriptors that `execute` uses. */
  get needs(): number[] {
    return [this.fd, program()]
  }

  /** Records how a child becomes that program. */
  execute(tape: Tape, name = 'minilab'): void {
    tape.dup3(this.fd, TAPE_FD, 0)
    tape.execveat(program(), '', [name], [], AT_EMPTY_PATH)
  }

  /** The arena can be used again; the descriptor stays open. */
  release(): void {
    this.arena.release()
  }
}

let made: number | undefined

/** The program, as a descriptor: always the same, so it is made once. */
function program(): number {
  return (made ??= programFile('minilab', elf()))
}

/** elf(5): a static program with one segment, the launchpad; its entry point is `standalone`. */
function elf(): Buffer {
  const [address, header, segment] = [0x400000n, 64, 56]
  const text = header + 2 * segment
  const file = Buffer.alloc(text + launchpad.length)
  launchpad.copy(file, text)
  file.write('\x7fELF\x02\x01\x01', 'latin1') // 64 bits, little-endian, version 1
  file.writeUInt16LE(2, 16) // ET_EXEC
  file.writeUInt16LE({ x64: 62, arm64: 183 }[arch], 18) // EM_X86_64, EM_AARCH64
  file.writeUInt32LE(1, 20)
  file.writeBigUInt64LE(address + BigInt(text + ENTRY.standalone), 24) // entry point
  file.writeBigUInt64LE(BigInt(header), 32) // where the program headers are
  for (const [value, at] of [
    [header, 52],
    [segment, 54],
    [2, 56],
  ] as const)
    file.writeUInt16LE(value, at)
  const describe = (at: number, type: number, flags: number, size: number) => {
    file.writeUInt32LE(type, at)
    file.writeUInt32LE(flags, at + 4)
    file.writeBigUInt64LE(size ? address : 0n, at + 16)
    file.writeBigUInt64LE(BigInt(size), at + 32)
    file.writeBigUInt64LE(BigInt(size), at + 40)
    file.writeBigUInt64LE(0x10000n, at + 48) // arm64 has pages of up to 64 KiB
  }
  describe(header, 1, 5, file.length) // PT_LOAD, PF_R|PF_X
  describe(header + segment, 0x6474e551, 6, 0) // PT_GNU_STACK, PF_R|PF_W
  return file
}
