import { libc, koffi } from './libc.ts'

const SIZE = 1 << 24 // takes no memory until it is written to; execve(2) allows at most 6 MiB of arguments
const PROT_READ_WRITE = 3
const MAP_PRIVATE_ANONYMOUS = 0x22

/** The result of a call that is made later: of a tape, `Later`. */
export interface Result {
  readonly op: unknown
}
export type Word = bigint | number | Result

/**
 * An argument that an earlier call fills: the kernel writes it to where the argument lies in memory, because a tape cannot
 * copy what a call has written. Of one call only.
 */
export class Filled extends Uint8Array {
  readonly label: string
  constructor(label: string) {
    super(8) // a word
    this.label = label
  }

  override toString(): string {
    return `<${this.label}>`
  }
}

/**
 * Memory that we can pass pointers into to the kernel (and to a child that shares it, CLONE_VM): one mmap(2), filled from
 * the bottom, emptied all at once. JavaScript's own buffers are unsuitable: the garbage collector may move or free them.
 * Never unmapped (koffi would crash on a view of it): finished arenas wait in `spare` for the next tape.
 */
export class Arena {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** the address of its first byte: for us, or for a process that will have these bytes in its own memory */
  base: bigint
  readonly #ours: bigint
  #next = 0
  readonly #outs = new Map<Uint8Array, number>() // buffers that calls fill, and their offsets
  /** words that are results of earlier calls, and their addresses */
  readonly results: [result: Result, address: bigint][] = []
  readonly #lists = new Map<readonly string[], bigint>()

  private constructor() {
    const memory = libc.mmap(null, SIZE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0)
    this.#ours = this.base = koffi.address(memory)
    const buffer = koffi.view(memory, SIZE)
    this.bytes = new Uint8Array(buffer)
    this.view = new DataView(buffer)
  }

  static spare: Arena[] = []

  /** An empty arena; return it with `release()`. `base`: where another process will have its bytes. */
  static take(base?: bigint): Arena {
    const arena = Arena.spare.pop() ?? new Arena()
    arena.base = base ?? arena.#ours
    return arena
  }

  /** The part of it that is filled. */
  get used(): Uint8Array {
    return this.bytes.subarray(0, this.#next)
  }

  /** Copies what the kernel has written so far into the callers' buffers. */
  collect(): void {
    for (const [buffer, offset] of this.#outs) buffer.set(this.bytes.subarray(offset, offset + buffer.length))
  }

  /** Collects, and frees the arena for reuse. */
  release(): void {
    this.collect()
    this.#outs.clear()
    this.results.length = 0
    this.#lists.clear()
    this.#next = 0
    Arena.spare.push(this)
  }

  /** Reserves `size` zeroed bytes, aligned to 16; returns their offset in the arena. */
  reserve(size: number): number {
    const offset = (this.#next + 15) & ~15
    if (offset + size > SIZE) throw new RangeError(`a tape's arguments do not fit in ${SIZE} bytes`)
    this.bytes.fill(0, this.#next, offset + size) // also what alignment skips: an earlier tape's arguments may be in it
    this.#next = offset + size
    return offset
  }

  address(offset: number): bigint {
    return this.base + BigInt(offset)
  }

  put(bytes: Uint8Array): bigint {
    const offset = this.reserve(bytes.length)
    this.bytes.set(bytes, offset)
    return this.address(offset)
  }

  cstring(text: string): bigint {
    return this.put(Buffer.from(text + '\0'))
  }

  /** A NULL-terminated array of strings, as for execve(2). An identical list is stored once: a search along PATH repeats it. */
  strings(list: readonly string[]): bigint {
    const known = this.#lists.get(list)
    if (known !== undefined) return known
    const address = this.words([...list.map(text => this.cstring(text)), 0n])
    this.#lists.set(list, address)
    return address
  }

  /** An array of 64-bit words: struct members, or the pointers of an argv. */
  words(words: readonly Word[]): bigint {
    const offset = this.reserve(8 * words.length)
    words.forEach((word, i) => {
      const at = offset + 8 * i
      if (typeof word === 'object') this.results.push([word, this.address(at)])
      else this.view.setBigUint64(at, BigInt.asUintN(64, BigInt(word)), true)
    })
    return this.address(offset)
  }

  /** Tells where the bytes of an argument lie that a call fills. */
  lies(argument: Filled, offset: number): void {
    this.#outs.set(argument, offset)
  }

  /** A buffer that calls read and fill; its new contents are copied back by `collect()`. Calls that name the same buffer share it. */
  out(buffer: Uint8Array): bigint {
    const known = this.#outs.get(buffer)
    if (known !== undefined) return this.address(known)
    const address = this.put(buffer)
    this.#outs.set(buffer, Number(address - this.base))
    return address
  }
}
