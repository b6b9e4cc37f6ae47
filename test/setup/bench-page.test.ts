import { expect, test } from 'vitest'
import { section, withSection } from '../bench/page.ts'

const machine = { date: '2026-12-02', cpu: '2 × a CPU, 8 GiB', kernel: '6.18.5', peers: ['crun 1.8.1'] }
const measured = {
  figure: '--version',
  unit: 'ms' as const,
  ours: 50.4,
  peers: [
    { name: 'node -e 0', median: 40, ratio: 1.26, reach: 1.25 },
    { name: 'crun', median: 9.5, ratio: 5.3 },
  ],
  missing: [],
}

test('the section has a row for each figure and peer, and tells where it was measured, and when', () => {
  const text = section([measured], machine)
  expect(text).toContain('| --version | 50 ms | node -e 0 | 40 ms | 1.26 × | ≤ 1.25 ×, not reached |\n')
  expect(text).toContain('| --version | 50 ms | crun | 9.50 ms | 5.30 × | – |\n')
  expect(text).toContain('Measured on 2026-12-02')
  expect(text).toContain('Linux 6.18.5, beside crun 1.8.1.')
})

test('it is added to a page once, and then takes the place of the earlier one', () => {
  const once = withSection('# A\n\n## B\n\ntext\n', section([measured], machine))
  expect(once).toMatch(/^# A\n\n## B\n\ntext\n\n## How fast it is\n/)
  expect(withSection(once, section([measured], machine))).toBe(once)
  const between = `${once}\n## C\n`
  expect(withSection(between, section([measured], machine))).toBe(between)
})
