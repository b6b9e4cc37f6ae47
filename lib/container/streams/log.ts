import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * The log of a container that runs in the background, in the format of Kubernetes runtimes (CRI): one record per line, with the
 * time and the stream, and whether the record ends a line of the program (F) or is a part of it (P).
 *
 *     2026-11-30T16:04:05.678Z stdout F a whole line
 */
export interface LogRecord {
  /** empty if the line is not a record: a message of ours, or damaged */
  time: string
  stream: Stream
  /** a part of the output: a long line may come in several parts, and the last one has `ends` */
  text: Buffer
  starts: boolean
  ends: boolean
}

const HEADER = /^(\d{4}-\d\d-\d\dT[\d:.]{8,18}Z) (stdout|stderr) ([FP]) /
const HEADER_MAX = 64 // bytes
const CHUNK = 65536
/** How far before the last lines to search for the beginnings of lines that the other stream has interrupted: bytes. */
const LOOK_BACK = 2 ** 24
const NEWLINE = 10

type Stream = 'stdout' | 'stderr'

/** Turns what a program has written at once into records. */
export function encodeLog(stream: Stream, bytes: Buffer, time = new Date().toISOString()): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(NEWLINE, at)
    const text = bytes.subarray(at, end === -1 ? bytes.length : end)
    parts.push(Buffer.from(`${time} ${stream} ${end === -1 ? 'P' : 'F'} `), text, Buffer.from('\n'))
    at += text.length + 1
  }
  return Buffer.concat(parts)
}

/** Reads a log in pieces, however large it is, and however long its lines are. */
export class LogReader implements Disposable {
  readonly #fd: number
  #at = 0
  #rest: Buffer = Buffer.alloc(0)
  #record: (Omit<LogRecord, 'text'> & { whole: boolean; isWanted: boolean }) | undefined
  /** where the first wanted record of each stream is */
  readonly #from: Record<Stream, number> = { stdout: 0, stderr: 0 }
  readonly #open = new Set<string>() // streams whose last record was a P

  constructor(path: string) {
    this.#fd = openSync(path, 'r')
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }

  /** The records that were added since the last read. The text of a record is valid until the next one is asked for. */
  *records(): Generator<LogRecord> {
    const buffer = Buffer.alloc(CHUNK)
    for (let count; (count = readSync(this.#fd, buffer, 0, CHUNK, this.#at)) > 0;) {
      const start = this.#at - this.#rest.length
      this.#at += count
      const bytes = buffer.subarray(0, count)
      yield* this.#parse(this.#rest.length ? Buffer.concat([this.#rest, bytes]) : bytes, start)
    }
  }

  /** `start`: the position of the bytes in the file */
  *#parse(bytes: Buffer, start: number): Generator<LogRecord> {
    let at = 0
    while (at < bytes.length) {
      if (!this.#record) {
        const line = bytes.subarray(at, at + HEADER_MAX)
        const header = HEADER.exec(line.toString('latin1'))
        // it may be incomplete; a line that is no record is a message of ours about the container, or damaged
        if (!header && line.length < HEADER_MAX && !line.includes(NEWLINE)) break
        const [all, time, stream, kind] = parts(header)
        const starts = !this.#open.has(stream)
        this.#record = {
          time,
          stream,
          starts,
          ends: false,
          whole: kind === 'F',
          isWanted: start + at >= this.#from[stream],
        }
        at += all.length
      }
      const { whole, isWanted, ...record } = this.#record
      const end = bytes.indexOf(NEWLINE, at)
      const text = bytes.subarray(at, end === -1 ? bytes.length : end)
      if (isWanted) yield { ...record, text, ends: end !== -1 && whole }
      at += text.length
      if (end === -1) {
        this.#record.starts = false
        continue
      }
      at++
      if (whole) this.#open.delete(record.stream)
      else this.#open.add(record.stream)
      this.#record = undefined
    }
    this.#rest = Buffer.from(bytes.subarray(at))
  }

  /** Skips all but the last `lines` lines of the program. A line counts where it ends, and is wanted with all of its records. */
  skipToLast(lines: number): void {
    const { size } = fstatSync(this.#fd)
    const from = { stdout: size, stderr: size }
    const seen = new Set<Stream>()
    const wanted = new Set<Stream>() // streams whose current record belongs to a wanted line
    let count = 0
    let last = size // the end of the first wanted line
    for (const start of this.#recordsBackwards(size)) {
      if (count === lines && (wanted.size === 0 || last - start > LOOK_BACK)) break
      const [, , stream, kind] = this.#header(start)
      const isEnd = kind === 'F' || !seen.has(stream) // the last line of a stream may have no end yet
      seen.add(stream)
      if (isEnd && count === lines) wanted.delete(stream)
      else if (isEnd) {
        wanted.add(stream)
        count++
        last = start
      }
      if (wanted.has(stream)) from[stream] = start
    }
    Object.assign(this.#from, from)
    this.#at = Math.min(from.stdout, from.stderr)
  }

  /** The positions where records start, last one first. */
  *#recordsBackwards(size: number): Generator<number> {
    const buffer = Buffer.alloc(CHUNK)
    for (let end = size; end > 0;) {
      const from = Math.max(0, end - CHUNK)
      readSync(this.#fd, buffer, 0, end - from, from)
      for (let at = end - from; (at = at === 0 ? -1 : buffer.lastIndexOf(NEWLINE, at - 1)) !== -1;)
        if (from + at + 1 < size) yield from + at + 1
      end = from
    }
    if (size > 0) yield 0
  }

  #header(at: number): Header {
    const line = Buffer.alloc(HEADER_MAX)
    readSync(this.#fd, line, 0, HEADER_MAX, at)
    return parts(HEADER.exec(line.toString('latin1')))
  }
}

type Header = [all: string, time: string, stream: Stream, kind: string]

/** A line that is no record counts as a line of stdout. */
const parts = (header: RegExpExecArray | null): Header =>
  header ? (header.slice() as Header) : ['', '', 'stdout', 'F']
