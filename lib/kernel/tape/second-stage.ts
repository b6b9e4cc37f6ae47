import { closeSync, fchmodSync, openSync, readSync, writeSync } from 'node:fs'
import { AT_EMPTY_PATH, F_SETFD, FD_CLOEXEC, LOCK_EX, PR_SET_DUMPABLE } from '../syscalls/constants.ts'
import { Arena } from '../syscalls/arena.ts'
import { memoryFile, seal } from '../process/memory-file.ts'
import { now } from '../syscalls/now.ts'
import { arch } from '../syscalls/syscall-numbers.ts'
import { ENTRY, launchpad } from './launchpad.ts'
import type { Tape } from './tape.ts'

/**
 * Where the tape lies in the memory of the second stage, and the child's descriptor for it: launchpad.*.S. In us, libuv uses
 * that number.
 */
const BASE = 0x10000000n
const TAPE_FD = 9

/** Before the ops: the address of the first op, and the address after the last one. */
const HEADER = 16

/**
 * The second stage of a child. In the first stage it shares our memory, so to the kernel it is still Node's program. Before
 * it gives up its rights and starts a possibly hostile program, it executes a program that is just the rest of its tape: less than 600
 * bytes, in a sealed file in memory. From then on neither Node's memory nor its program is left in it:
 * `/proc/self/exe`, through which CVE-2019-5736 overwrote runtimes, is that file.
 *
 * The tape lies in a second file, which both processes have open, so the results come back by themselves. The child holds
 * a lock on it by its mapping, whatever it closes: the lock is released when the child has executed its program, or has ended.
 */
export class SecondStage implements Disposable {
  readonly arena: Arena
  /** our descriptor of the tape, and the one for the child: each with its own lock, as if two processes had opened the file */
  readonly ours: number
  readonly theirs: number
  #isTheirsClosed = false
  #isOpen = true

  constructor() {
    this.theirs = memoryFile('minilab-tape', 'data')
    // opened a second time: then a lock taken by one descriptor excludes the other
    this.ours = orClose(this.theirs, () => openSync(`/proc/self/fd/${this.theirs}`, 'r+'))
    this.arena = Arena.take(BASE)
    this.arena.reserve(HEADER)
  }

  /**
   * Records the transition: the last calls of the first stage, the first ones of the second. `kept`: descriptors that it needs
   * besides 0, 1 and 2.
   */
  record(tape: Tape, kept: readonly number[]): void {
    for (const fd of kept) tape.fcntl(fd, F_SETFD, 0)
    tape.dup3(this.theirs, TAPE_FD, 0)
    tape.execveat(program(), '', ['minilab'], [], AT_EMPTY_PATH)
    tape.second = { at: tape.ops.length, stage: this }
    tape.close(TAPE_FD) // the mapping stays
    for (const fd of kept) tape.fcntl(fd, F_SETFD, FD_CLOEXEC)
    // execve(2) has made it dumpable again: a process in the container could trace it, and act with its rights
    tape.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
  }

  /** Fills the file from the arena: with the ops between the two addresses. */
  fill([first, end]: readonly [bigint, bigint]): void {
    this.arena.view.setBigUint64(0, first, true)
    this.arena.view.setBigUint64(8, end, true)
    this.write()
    now.flock(this.theirs, LOCK_EX) // until the child has released it
  }

  /** Writes the arena to the file. */
  write(): void {
    const { used } = this.arena
    for (let at = 0; at < used.length;) at += writeSync(this.theirs, used, at, used.length - at, at)
  }

  /** Copies the results of the second stage so far into the arena, and into the buffers that its calls fill. */
  look(): void {
    if (!this.#isOpen) return
    const { used } = this.arena
    for (let at = 0, got = -1; at < used.length && got !== 0; at += got)
      got = readSync(this.ours, used, at, used.length - at, at)
    this.arena.collect()
  }

  /** For the launchpad: it closes `theirs` when the child has its copy, and then waits for the lock. */
  theirsIsClosed(): void {
    this.#isTheirsClosed = true
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.arena.release()
    closeSync(this.ours)
    if (!this.#isTheirsClosed) closeSync(this.theirs)
  }
}

let made: number | undefined

/** The program, as a descriptor: always the same, so it is made once. */
function program(): number {
  if (made !== undefined) return made
  const fd = memoryFile('minilab', 'program')
  return (made = orClose(fd, () => {
    writeSync(fd, elf())
    fchmodSync(fd, 0o111) // a process whose program it may not read is undumpable: execve(2)
    seal(fd)
    return fd
  }))
}

/** Closes a descriptor if a function that uses it throws. */
function orClose<T>(fd: number, use: () => T): T {
  try {
    return use()
  } catch (error) {
    closeSync(fd)
    throw error
  }
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
