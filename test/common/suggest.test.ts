import { expect, test } from 'vitest'
import { suggest } from '../../lib/common/suggest.ts'

const commands = ['step', 'run', 'doctor', 'clean', 'exec', 'kill']

test.each([
  ['stpe', 'step'], // neighbours swapped
  ['stp', 'step'], // one left out
  ['stepp', 'step'], // one added
  ['dactor', 'doctor'], // one changed
  ['Docotr', 'doctor'],
  ['step', 'step'],
])('%s: did you mean %s?', (word, meant) => {
  expect(suggest(word, commands)).toBe(meant)
})

test.each(['', 'network', 'xy', 'destroy'])('%s is near to nothing', word => {
  expect(suggest(word, commands)).toBeUndefined()
})

test('case, - and _ are the same; the nearest wins', () => {
  expect(suggest('Memory-Limit', ['memory_limit'])).toBe('memory_limit')
  expect(suggest('CAP_SYS_TIMES', ['CAP_SYS_NICE', 'CAP_SYS_TIME'])).toBe('CAP_SYS_TIME')
})
