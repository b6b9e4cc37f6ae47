import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/**
 * The log of a container that runs in the background, in the format that Kubernetes' runtimes write (CRI): one record a line, with
 * when and where it was written, and whether a line of the program ends with it (F) or goes on (P).
 *
 *     2026-11-30T16:04:05.678Z stdout F a whole line
 */
export interface LogRecord {
  /** empty where a line is no record: one of ours, or a damaged one */
  time: string
  stream: Stream
  /** a part of what was written: of a long line there may come several, and the last one has `ends` */
  text: Buffer
  starts: boolean
  ends: boolean
}

const HEADER = /^(\d{4}-\d\d-\d\dT[\d:.]{8,18}Z) (stdout|stderr) ([FP]) /
const HEADER_MAX = 64 // bytes
const CHUNK = 65536
/** How far behind the last lines the beginnings of those are looked for that the other stream has interrupted: bytes. */
const LOOK_BACK = 2 ** 24
const NEWLINE = 10

type Stream = 'stdout' | 'stderr'

/** What a program has written at once, as records. */
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

/** Reads a log piece by piece, however large it is, and however long its lines are. */
export class LogReader implements Disposable {
  readonly #fd: number
  #at = 0
  #rest: Buffer = Buffer.alloc(0)
  #record: (Omit<LogRecord, 'text'> & { whole: boolean; isWanted: boolean }) | undefined
  /** where the first record of each stream is that is wanted */
  readonly #from: Record<Stream, number> = { stdout: 0, stderr: 0 }
  readonly #open = new Set<string>() // streams whose last record was a P

  constructor(path: string) {
    this.#fd = openSync(path, 'r')
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }

  /** What there is to read now, and was not read before. The text of a record is there until the next one is asked for. */
  *records(): Generator<LogRecord> {
    const buffer = Buffer.alloc(CHUNK)
    for (let count; (count = readSync(this.#fd, buffer, 0, CHUNK, this.#at)) > 0;) {
      const start = this.#at - this.#rest.length
      this.#at += count
      const bytes = buffer.subarray(0, count)
      yield* this.#parse(this.#rest.length ? Buffer.concat([this.#rest, bytes]) : bytes, start)
    }
  }

  /** `start`: where in the file the bytes are */
  *#parse(bytes: Buffer, start: number): Generator<LogRecord> {
    let at = 0
    while (at < bytes.length) {
      if (!this.#record) {
        const line = bytes.subarray(at, at + HEADER_MAX)
        const header = HEADER.exec(line.toString('latin1'))
        // it may be cut off; what is no record is a line of ours about the container, or damaged
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

  /** Skips all but the last `lines` lines of the program: a line counts where it ends, and is wanted with all of its records. */
  skipToLast(lines: number): void {
    const { size } = fstatSync(this.#fd)
    const from = { stdout: size, stderr: size }
    const seen = new Set<Stream>()
    const wanted = new Set<Stream>() // streams of which the record at hand belongs to a wanted line
    let count = 0
    let last = size // where the first of the wanted lines ends
    for (const start of this.#recordsBackwards(size)) {
      if (count === lines && (wanted.size === 0 || last - start > LOOK_BACK)) break
      const [, , stream, kind] = this.#header(start)
      const isEnd = kind === 'F' || !seen.has(stream) // the last line of a stream may not have its end yet
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

  /** Where records start, the last one first. */
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

/** What is no record counts as a line of stdout. */
const parts = (header: RegExpExecArray | null): Header =>
  header ? (header.slice() as Header) : ['', '', 'stdout', 'F']
