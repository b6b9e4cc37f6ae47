import { closeSync, fstatSync, openSync, readSync, writeSync } from 'node:fs'
import { openFile } from '../../common/descriptor.ts'
import { randomBytes } from '../../kernel/process/random.ts'

/**
 * The log of a container that runs in the background. A log pump (log-pump.ts) writes a frame for each read: a header of six
 * 64-bit words, little-endian, and the bytes that the program had written.
 *
 *     magic   seven random bytes, and 1 for stdout, 2 for stderr: a program does not know them, so it cannot write a header
 *     at      the position of this frame in the file
 *     total   how much of this stream has been read so far, with this frame: what is missing was dropped, because the disk was full
 *     length  how many bytes follow; less follow where the disk became full meanwhile. 0: the stream has ended
 *     time    seconds since 1970, and nanoseconds
 *
 * What lies between the frames is a message of ours. The file begins with `minilogK`, those seven bytes, and a newline; an earlier
 * version had no such beginning, and `minilog` as the magic.
 */
export const HEADER = 48 // bytes
export const STREAMS = ['stdout', 'stderr'] as const
export type StreamName = (typeof STREAMS)[number]

/** The bytes that begin each header of one log, without that for the stream. */
export type Magic = Buffer
export const EARLIER: Magic = Buffer.from('minilog')
const MAGIC_SIZE = EARLIER.length
const DIGIT_ONE = 0x31
const BEGINNING = Buffer.from('minilogK')
const START = BEGINNING.length + MAGIC_SIZE + 1

/** The first word of a header. */
export const firstWord = (magic: Magic, stream: StreamName): bigint =>
  Buffer.concat([magic, Buffer.of(DIGIT_ONE + STREAMS.indexOf(stream))]).readBigUInt64LE()

/** Whose header begins at an index; undefined if none does. */
const streamAt = (magic: Magic, bytes: Buffer, index: number): StreamName | undefined =>
  magic.compare(bytes, index, index + MAGIC_SIZE) === 0
    ? STREAMS[(bytes[index + MAGIC_SIZE] ?? 0) - DIGIT_ONE]
    : undefined

/** The magic of a log, to which a pump is about to write; an empty file gets its beginning. `fd`: open for writing. */
export function beginLog(path: string, fd: number): Magic {
  if (fstatSync(fd).size === 0) {
    const magic = randomBytes(MAGIC_SIZE)
    writeSync(fd, Buffer.concat([BEGINNING, magic, Buffer.from('\n')]))
    return magic
  }
  using file = openFile(path, 'r')
  return magicIn(file.fd) ?? EARLIER
}

/** The magic that a log begins with; undefined for one of an earlier version, or an empty one. */
function magicIn(fd: number): Magic | undefined {
  const start = Buffer.alloc(START)
  const count = readSync(fd, start, 0, START, 0)
  const isOurs = count === START && start.subarray(0, BEGINNING.length).equals(BEGINNING)
  return isOurs ? start.subarray(BEGINNING.length, START - 1) : undefined
}

/** A part of a line of the program. */
export interface LogRecord {
  /** such as 2026-11-30T16:04:05.678901234Z; empty for a message of ours about the container */
  time: string
  stream: StreamName
  /** a long line may come in several parts, and the last one has `ends` */
  text: Buffer
  starts: boolean
  ends: boolean
}

interface Frame {
  stream: StreamName
  total: number
  length: number
  time: string
}

/** The most that a frame can have in this format, more than a pump writes: bytes. */
const LONGEST = 65536
const CHUNK = 4 * LONGEST
/** How far before the last lines to search for the beginnings of lines that the other stream has interrupted: bytes. */
const LOOK_BACK = 2 ** 24
const NEWLINE = 10
const SECONDS_MAX = 2n ** 36n

/** Encodes a frame, as a pump writes it at a position of the file. */
export function encodeFrame(
  stream: StreamName,
  at: number,
  total: number,
  bytes: Uint8Array,
  { time = Date.now(), magic = EARLIER } = {},
): Buffer {
  const words = [
    firstWord(magic, stream),
    at,
    total,
    bytes.length,
    Math.floor(time / 1000),
    (time % 1000) * 1e6,
  ]
  const header = Buffer.alloc(HEADER)
  words.forEach((word, i) => header.writeBigUInt64LE(BigInt(word), 8 * i))
  return Buffer.concat([header, bytes])
}

/** The frame whose header is at an index of `bytes`, which begin at a position of the file; undefined if there is none. */
function frameAt(magic: Magic, bytes: Buffer, index: number, position: number): Frame | undefined {
  if (index + HEADER > bytes.length) return undefined
  const word = (i: number) => bytes.readBigUInt64LE(index + 8 * i)
  const [length, total, seconds, nanoseconds] = [word(3), word(2), word(4), word(5)]
  const stream = streamAt(magic, bytes, index)
  if (!stream || word(1) !== BigInt(position + index)) return undefined
  if (length > LONGEST || total < length || seconds > SECONDS_MAX || nanoseconds >= 1_000_000_000n)
    return undefined
  const second = new Date(Number(seconds) * 1000).toISOString().slice(0, -4)
  const time = `${second}${String(nanoseconds).padStart(9, '0')}Z`
  return { stream, total: Number(total), length: Number(length), time }
}

/** Whether a header begins at an index, or the first part of one for which there was no more room. */
const beginsHere = (magic: Magic, bytes: Buffer, index: number, position: number): boolean =>
  index + 16 <= bytes.length &&
  streamAt(magic, bytes, index) !== undefined &&
  bytes.readBigUInt64LE(index + 8) === BigInt(position + index)

/** Reads a log in pieces, however large it is, and however long its lines are. */
export class LogReader implements Disposable {
  readonly #fd: number
  readonly #streams: readonly StreamName[]
  /** undefined until the log has its beginning */
  #known: Magic | undefined
  #at = 0
  /** streams whose last line has no end yet */
  readonly #open = new Set<StreamName>()
  /** where the first wanted byte of each stream is */
  readonly #from: Record<StreamName, number> = { stdout: 0, stderr: 0 }
  /** how much of each stream the frames have had so far, with what is missing; undefined if that is not known yet */
  readonly #had: Partial<Record<StreamName, number>> = { stdout: 0, stderr: 0 }
  readonly #ended = new Set<StreamName>()

  /** `streams`: those that are wanted. */
  constructor(path: string, streams: readonly StreamName[] = STREAMS) {
    this.#fd = openSync(path, 'r')
    this.#streams = streams
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }

  /** Those whose pumps have written so far that they read to the end: what follows from another end is that a pump was killed. */
  get ended(): ReadonlySet<StreamName> {
    return this.#ended
  }

  /**
   * What was added since the last read. The text of a record is valid until the next one is asked for. `last`: a frame of which only a part is there
   * will not become longer.
   */
  *records(last = false): Generator<LogRecord> {
    if (!this.#begin()) return
    const buffer = Buffer.alloc(CHUNK)
    for (;;) {
      const bytes = buffer.subarray(0, readSync(this.#fd, buffer, 0, CHUNK, this.#at))
      if (bytes.length === 0) return
      const frame = frameAt(this.#magic, bytes, 0, this.#at)
      if (!frame) {
        const length = this.#nextHeader(bytes, 1) ?? bytes.length - beginningAtEnd(this.#magic, bytes)
        if (length === 0) return
        if (!isCutHeader(this.#magic, bytes.subarray(0, length)))
          yield* this.#lines(bytes.subarray(0, length), 'stdout', '', this.#at)
        this.#at += length
        continue
      }
      const end = HEADER + frame.length
      const next = this.#nextHeader(bytes.subarray(0, end + HEADER), HEADER)
      if (end > bytes.length && next === undefined && !last) return
      const text = bytes.subarray(HEADER, Math.min(next ?? end, end))
      yield* this.#missing(frame, text.length)
      yield* this.#lines(text, frame.stream, frame.time, this.#at + HEADER)
      this.#at += HEADER + text.length
      if (frame.length === 0) this.#ended.add(frame.stream)
    }
  }

  /** Reads the beginning of the log, once it is there; false before that. */
  #begin(): boolean {
    if (this.#known) return true
    if (fstatSync(this.#fd).size === 0) return false
    const magic = magicIn(this.#fd)
    this.#known = magic ?? EARLIER
    this.#start = this.#at = magic ? START : 0
    return true
  }
  /** where its first frame is */
  #start = 0

  get #magic(): Magic {
    return this.#known ?? EARLIER
  }

  /** The index of the next header that is not before `from`. */
  #nextHeader(bytes: Buffer, from: number): number | undefined {
    for (let at = from; (at = bytes.indexOf(this.#magic, at)) !== -1; at++)
      if (beginsHere(this.#magic, bytes, at, this.#at)) return at
    return undefined
  }

  *#missing({ stream, total, length }: Frame, there: number): Generator<LogRecord> {
    const missing = total - length - (this.#had[stream] ?? total - length)
    this.#had[stream] = total - length + there
    if (missing <= 0 || !this.#streams.includes(stream)) return
    if (this.#open.delete(stream))
      yield { time: '', stream, text: Buffer.alloc(0), starts: false, ends: true }
    const text = `minilab: ${missing} bytes of its output to ${stream} are missing: there was no space for them`
    yield { time: '', stream, text: Buffer.from(text), starts: true, ends: true }
  }

  *#lines(bytes: Buffer, stream: StreamName, time: string, position: number): Generator<LogRecord> {
    for (let at = 0; at < bytes.length;) {
      const end = bytes.indexOf(NEWLINE, at)
      const record = {
        time,
        stream,
        text: bytes.subarray(at, end === -1 ? bytes.length : end),
        starts: !this.#open.has(stream),
        ends: end !== -1,
      }
      if (record.ends) this.#open.delete(stream)
      else this.#open.add(stream)
      if (position + at >= this.#from[stream] && this.#streams.includes(stream)) yield record
      at += record.text.length + 1
    }
  }

  /** Skips all but the last `count` lines of the program. A line counts where it ends, and is wanted from where it starts. */
  skipToLast(count: number): void {
    if (!this.#begin()) return
    const { size } = fstatSync(this.#fd)
    const from: Partial<Record<StreamName, number>> = {}
    const wanted = new Set<StreamName>() // streams whose line that we look at is wanted
    const seen = new Set<StreamName>()
    let [lines, last, start] = [0, size, size]
    const ends = (stream: StreamName, next: number) => {
      if (lines < count) {
        lines++
        last = next
        wanted.add(stream)
      } else {
        from[stream] ??= next
        wanted.delete(stream)
      }
    }
    for (const { stream, position, bytes } of this.#textBackwards(size)) {
      start = position
      if (from[stream] !== undefined || !this.#streams.includes(stream)) continue
      // the last line of a stream may have no end yet
      if (!seen.has(stream) && bytes.at(-1) !== NEWLINE) ends(stream, position + bytes.length)
      seen.add(stream)
      for (let at = bytes.length; at > 0 && (at = bytes.lastIndexOf(NEWLINE, at - 1)) !== -1;) {
        ends(stream, position + at + 1)
        if (from[stream] !== undefined) break
      }
      if (lines === count && (wanted.size === 0 || last - start > LOOK_BACK)) break
    }
    if (lines < count) return // all
    for (const stream of STREAMS) {
      this.#from[stream] = from[stream] ?? (wanted.has(stream) ? start : size)
      delete this.#had[stream]
    }
    this.#at = Math.min(...STREAMS.map(stream => this.#from[stream]))
    // to the header of the frame that has it
    for (const { frame, position, bytes } of this.#textBackwards(size))
      if (position <= this.#at && this.#at <= position + bytes.length) return void (this.#at = frame)
  }

  /** The text between the headers, the last one first. `position`: of the text in the file; `frame`: of its header, if it has one. */
  *#textBackwards(
    size: number,
  ): Generator<{ stream: StreamName; frame: number; position: number; bytes: Buffer }> {
    const header = Buffer.alloc(HEADER)
    const text = (from: number, to: number) => {
      const bytes = Buffer.alloc(to - from)
      return bytes.subarray(0, readSync(this.#fd, bytes, 0, bytes.length, from))
    }
    let end = size
    for (const at of this.#positionsBackwards(size)) {
      readSync(this.#fd, header, 0, HEADER, at)
      const frame = frameAt(this.#magic, header, 0, at)
      if (!frame) continue
      if (frame.length === 0) this.#ended.add(frame.stream)
      const [begin, over] = [at + HEADER, Math.min(end, at + HEADER + frame.length)]
      if (over < end) yield { stream: 'stdout', frame: over, position: over, bytes: text(over, end) }
      if (begin < over) yield { stream: frame.stream, frame: at, position: begin, bytes: text(begin, over) }
      end = at
    }
    const start = this.#start
    if (end > start) yield { stream: 'stdout', frame: start, position: start, bytes: text(start, end) }
  }

  /** Where the magic of a frame is, the last one first. */
  *#positionsBackwards(size: number): Generator<number> {
    const buffer = Buffer.alloc(CHUNK + MAGIC_SIZE - 1)
    for (let end = size; end > 0;) {
      const from = Math.max(0, end - CHUNK)
      const count = readSync(this.#fd, buffer, 0, end - from + MAGIC_SIZE - 1, from)
      const bytes = buffer.subarray(0, count)
      for (let at = end - from; at > 0 && (at = bytes.lastIndexOf(this.#magic, at - 1)) !== -1;)
        yield from + at
      end = from
    }
  }
}

/** Whether bytes between two frames are a header for which there was no room. */
function isCutHeader(magic: Magic, bytes: Buffer): boolean {
  return bytes.length < HEADER && begins(magic, bytes.subarray(0, MAGIC_SIZE))
}

/** How many of the last bytes may be the beginning of a header. */
function beginningAtEnd(magic: Magic, bytes: Buffer): number {
  for (let at = Math.max(0, bytes.length - HEADER + 1); at < bytes.length; at++) {
    if (begins(magic, bytes.subarray(at, at + MAGIC_SIZE))) return bytes.length - at
  }
  return 0
}

/** Whether a magic begins with these bytes. */
const begins = (magic: Magic, bytes: Buffer): boolean => magic.subarray(0, bytes.length).equals(bytes)
