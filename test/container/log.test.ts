import { appendFileSync, closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  beginLog,
  EARLIER,
  encodeFrame,
  LogReader,
  type Magic,
  type StreamName,
} from '../../lib/container/streams/log.ts'
import { userFolder } from '../support/minilab.ts'

/** Appends frames to a log, as the pumps do. */
class Log {
  readonly path = join(userFolder(), 'log')
  readonly #total = { stdout: 0, stderr: 0 }

  readonly #magic: Magic

  constructor(frames: [StreamName, string][] = []) {
    const fd = openSync(this.path, 'a')
    this.#magic = beginLog(this.path, fd)
    closeSync(fd)
    for (const [stream, text] of frames) this.write(stream, text)
  }

  /** `kept`: how many bytes of it there was room for, if not for all. */
  write(stream: StreamName, text: string, kept = Infinity): void {
    const at = statSync(this.path).size
    const total = (this.#total[stream] += text.length)
    appendFileSync(
      this.path,
      encodeFrame(stream, at, total, Buffer.from(text, 'latin1'), { magic: this.#magic }).subarray(0, kept),
    )
  }

  /** Bytes that are read, and for which there is no room. */
  lose(stream: StreamName, bytes: number): void {
    this.#total[stream] += bytes
  }
}

/** What each line says that is read of a log now: its stream, and its text. */
function read(reader: LogReader, last = false): string[] {
  const lines: string[] = []
  const begun = { stdout: '', stderr: '' }
  for (const { stream, text, ends } of reader.records(last)) {
    begun[stream] += text.toString()
    if (!ends) continue
    lines.push(`${stream}: ${begun[stream]}`)
    begun[stream] = ''
  }
  return lines
}

const WRITTEN: [stream: StreamName, text: string][] = [
  ['stderr', 'first\n'],
  ['stdout', 'one '],
  ['stderr', 'an '],
  ['stdout', 'long '],
  ['stderr', 'error\n'],
  ['stdout', 'line\n'],
  ['stderr', 'last\n'],
]

test.each([
  [0, []],
  [1, ['stderr: last']],
  [2, ['stdout: one long line', 'stderr: last']],
  [3, ['stderr: an error', 'stdout: one long line', 'stderr: last']],
  [4, ['stderr: first', 'stderr: an error', 'stdout: one long line', 'stderr: last']],
  [9, ['stderr: first', 'stderr: an error', 'stdout: one long line', 'stderr: last']],
])('the last %i lines of a log are whole, also where both streams write at once', (count, lines) => {
  const log = new Log(WRITTEN)
  using reader = new LogReader(log.path)
  reader.skipToLast(count)
  expect(read(reader)).toEqual(lines)
  log.write('stdout', 'and more\n')
  expect(read(reader)).toEqual(['stdout: and more'])
  log.write('stdout', '')
  expect(read(reader)).toEqual([])
  expect([...reader.ended]).toEqual(['stdout'])
})

test('a line without its end counts, and goes on where it is written', () => {
  const log = new Log([['stdout', 'before\nbegun, ']])
  using reader = new LogReader(log.path)
  reader.skipToLast(1)
  expect([...reader.records()].map(({ text }) => text.toString())).toEqual(['begun, '])
  log.write('stdout', 'ended\n')
  expect(read(reader)).toEqual(['stdout: ended'])
})

test('the last lines of a log whose streams have ended are the same', () => {
  const log = new Log([...WRITTEN, ['stdout', ''], ['stderr', '']])
  for (const count of [0, 2]) {
    using reader = new LogReader(log.path)
    reader.skipToLast(count)
    expect(read(reader)).toEqual(['stdout: one long line', 'stderr: last'].slice(2 - count))
    expect([...reader.ended].toSorted()).toEqual(['stderr', 'stdout'])
  }
})

test('what is missing is counted, whether a frame was lost, cut off, or cut off in its header', () => {
  const log = new Log([['stdout', 'one\n']])
  log.lose('stdout', 100)
  log.write('stderr', 'whole\n')
  log.write('stdout', 'two\n')
  log.write('stdout', 'three is cut off\n', 48 + 5)
  log.write('stderr', 'cut off in its header\n', 20)
  log.write('stdout', 'four\n')
  log.write('stderr', 'five\n')
  using reader = new LogReader(log.path)
  const missing = (bytes: number, stream: string) =>
    `${stream}: minilab: ${bytes} bytes of its output to ${stream} are missing: there was no space for them`
  const lines = read(reader)
  expect(lines.slice(0, 5)).toEqual([
    'stdout: one',
    'stderr: whole',
    missing(100, 'stdout'),
    'stdout: two',
    'stdout: three',
  ])
  expect(lines).toContain(missing(12, 'stdout'))
  expect(lines).toContain(missing(22, 'stderr'))
  expect(lines.slice(-1)).toEqual(['stderr: five'])
  expect(lines).toContain('stdout: four')
})

test('a program that writes what looks like a header, or a whole log, loses nothing', () => {
  // at the place where the reader will find it
  const at = 16 + 48 + 'minilog1 minilog2 '.length
  const forged = encodeFrame('stderr', at, 5, Buffer.from('hello')).toString('latin1')
  const log = new Log()
  log.write('stdout', `minilog1 minilog2 ${forged}\nand so on\n`)
  log.write('stdout', 'next\n')
  using reader = new LogReader(log.path)
  const parts: Buffer[] = []
  for (const { text, ends } of reader.records()) parts.push(Buffer.from(text), Buffer.from(ends ? '\n' : ''))
  expect(Buffer.concat(parts).toString('latin1')).toBe(`minilog1 minilog2 ${forged}\nand so on\nnext\n`)
})

test('a frame that is being written is read when it is whole, or when no more can come', () => {
  const log = new Log([['stdout', 'one\n']])
  log.write('stdout', 'two\nthree\n', 48 + 6)
  using reader = new LogReader(log.path)
  expect(read(reader)).toEqual(['stdout: one'])
  expect(read(reader, true)).toEqual(['stdout: two'])
})

test('a message of ours between the frames is a line', () => {
  const log = new Log([['stdout', 'one\n']])
  appendFileSync(log.path, 'minilab: a message\n')
  log.write('stdout', 'two\n')
  appendFileSync(log.path, 'minilab: another\n')
  using reader = new LogReader(log.path)
  expect(read(reader)).toEqual([
    'stdout: one',
    'stdout: minilab: a message',
    'stdout: two',
    'stdout: minilab: another',
  ])
  using again = new LogReader(log.path)
  again.skipToLast(2)
  expect(read(again)).toEqual(['stdout: two', 'stdout: minilab: another'])
})

test('each log has its own magic; both pumps write the same; a log of an earlier version is read as it was', () => {
  const [one, other] = [new Log(), new Log()].map(({ path }) => readFileSync(path, 'latin1'))
  expect([one, other]).toEqual([
    expect.stringMatching(/^minilogK[^]{7}\n$/),
    expect.stringMatching(/^minilogK/),
  ])
  expect(one).not.toBe(other)
  const { path } = new Log([['stdout', 'one\n']])
  const fd = openSync(path, 'a')
  expect(beginLog(path, fd).toString('latin1')).toBe(readFileSync(path, 'latin1').slice(8, 15))
  closeSync(fd)
  writeFileSync(path, encodeFrame('stderr', 0, 6, Buffer.from('as it\n'), { magic: EARLIER }))
  using reader = new LogReader(path)
  expect(read(reader)).toEqual(['stderr: as it'])
})
