import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeLog, LogReader } from '../../lib/container/streams/log.ts'
import { userFolder } from '../support/minilab.ts'

/** What each line says that is read of a log now: its stream, and its text. */
function read(reader: LogReader): string[] {
  const lines: string[] = []
  const begun = { stdout: '', stderr: '' }
  for (const { stream, text, ends } of reader.records()) {
    begun[stream] += text.toString()
    if (!ends) continue
    lines.push(`${stream}: ${begun[stream]}`)
    begun[stream] = ''
  }
  return lines
}

const WRITTEN: [stream: 'stdout' | 'stderr', text: string][] = [
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
  const path = join(userFolder(), 'log')
  writeFileSync(path, Buffer.concat(WRITTEN.map(([stream, text]) => encodeLog(stream, Buffer.from(text)))))
  using reader = new LogReader(path)
  reader.skipToLast(count)
  expect(read(reader)).toEqual(lines)
  appendFileSync(path, encodeLog('stdout', Buffer.from('and more\n')))
  expect(read(reader)).toEqual(['stdout: and more'])
})

test('a line without its end counts, and goes on where it is written', () => {
  const path = join(userFolder(), 'log')
  writeFileSync(path, encodeLog('stdout', Buffer.from('before\nbegun, ')))
  using reader = new LogReader(path)
  reader.skipToLast(1)
  expect([...reader.records()].map(({ text }) => text.toString())).toEqual(['begun, '])
  appendFileSync(path, encodeLog('stdout', Buffer.from('ended\n')))
  expect(read(reader)).toEqual(['stdout: ended'])
})
