import { libc, koffi } from './libc.ts'

const SIZE = 1 << 24 // takes no memory until it is written to; execve(2) allows at most 6 MiB of arguments
const PROT_READ_WRITE = 3
const MAP_PRIVATE_ANONYMOUS = 0x22

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
  #outs: { buffer: Uint8Array; offset: number }[] = []
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
    for (const { buffer, offset } of this.#outs)
      buffer.set(this.bytes.subarray(offset, offset + buffer.length))
  }

  /** Collects, and frees the arena for reuse. */
  release(): void {
    this.collect()
    this.#outs = []
    this.#lists.clear()
    this.#next = 0
    Arena.spare.push(this)
  }

  /** Reserves `size` zeroed bytes, aligned to 16; returns their offset in the arena. */
  reserve(size: number): number {
    const offset = (this.#next + 15) & ~15
    if (offset + size > SIZE) throw new RangeError(`a tape's arguments do not fit in ${SIZE} bytes`)
    this.bytes.fill(0, offset, offset + size)
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
  words(words: readonly (bigint | number)[]): bigint {
    const offset = this.reserve(8 * words.length)
    words.forEach((word, i) => this.view.setBigUint64(offset + 8 * i, BigInt.asUintN(64, BigInt(word)), true))
    return this.address(offset)
  }

  /** A buffer that the call reads and fills; its new contents are copied back by `collect()`. */
  out(buffer: Uint8Array): bigint {
    const address = this.put(buffer)
    this.#outs.push({ buffer, offset: Number(address - this.base) })
    return address
  }
}
