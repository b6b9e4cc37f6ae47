import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { until } from '../../lib/common/until.ts'

function file(): string {
  const folder = mkdtempSync(join(tmpdir(), 'minilab-until-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'state'), '')
  return join(folder, 'state')
}

test('it looks at once', async () => {
  expect(await until(() => true, 0)).toBe(true)
  expect(await until(() => true, 0, file())).toBe(true)
})

test('with a file it looks when that changes, and not otherwise', async () => {
  const path = file()
  let looks = 0
  let ready = false
  const waiting = until(() => (looks++, ready), 30_000, path)
  expect(looks).toBe(1)
  ready = true
  writeFileSync(path, 'changed')
  expect(await waiting).toBe(true)
  expect(looks).toBeLessThan(4) // once more for each event of the write: truncated, written
})

test('without a file it looks again and again, to the end of its patience', async () => {
  let looks = 0
  expect(await until(() => ++looks === 3, 30_000)).toBe(true)
  expect(await until(() => false, 5)).toBe(false)
  expect(await until(() => false, 5, file())).toBe(false)
})

test('what the test throws, and a file that is not there, reject', async () => {
  const fail = () => {
    throw new Error('cannot look')
  }
  await expect(until(fail, 30_000)).rejects.toThrow('cannot look')
  await expect(until(() => false, 30_000, `${file()}-not`)).rejects.toThrow('ENOENT')
})
