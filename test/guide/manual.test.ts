// What steps name to be read: that it exists, and how it is printed.
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { steps } from '../../lib/cli/steps.ts'
import { manualLines } from '../../lib/guide/manual.ts'
import { runMinilab } from '../support/minilab.ts'

const PAGE = /^([\w.-]+)\((\d)\)$/
const KERNEL = /^linux\/Documentation\/[\w/-]+\.rst$/
/** Debian's packages whose pages may be named: CI has them all. */
const PACKAGES = ['manpages', 'manpages-dev', 'iproute2', 'nftables', 'tar']
const listOf = (name: string) => `/var/lib/dpkg/info/${name}.list`
const missing = PACKAGES.filter(name => !existsSync(listOf(name)))
const lacking = missing.length ? ` (not installed: ${missing.join(', ')})` : ''

const chapters = await Promise.all(steps.map(({ load }) => load()))
const stages = chapters.flatMap(({ stages }) => stages)

test('each stage of each step names what to read, and nothing twice', () => {
  for (const { title, manual = [] } of stages) {
    expect(manual, title).not.toEqual([])
    expect(new Set(manual).size, title).toBe(manual.length)
    for (const name of manual) expect(name).toMatch(name.startsWith('linux/') ? KERNEL : PAGE)
  }
})

test.skipIf(lacking)(`each manual page is in a package of Debian's${lacking}`, () => {
  const files = new Set(PACKAGES.flatMap(name => readFileSync(listOf(name), 'utf8').split('\n')))
  const pages = stages.flatMap(({ manual = [] }) => manual.filter(name => PAGE.test(name)))
  const unknown = pages.filter(page => {
    const [, name, section] = PAGE.exec(page)!
    return !files.has(`/usr/share/man/man${section}/${name}.${section}.gz`)
  })
  expect(unknown).toEqual([])
})

test('they fit below the line of the code at 80 columns, and break between two', () => {
  for (const { manual } of stages)
    for (const line of manualLines(manual, 74)) expect(line.length, line).toBeLessThanOrEqual(74)
  expect(manualLines(['pivot_root(2)', 'proc(5)'], 74)).toEqual(['the manual: man 2 pivot_root · man 5 proc'])
  expect(manualLines(['pivot_root(2)', 'proc(5)'], 30)).toEqual([
    'the manual: man 2 pivot_root',
    '            man 5 proc',
  ])
  expect(manualLines(undefined, 74)).toEqual([])
})

test('a step prints them as they are typed', async () => {
  const { stdout } = await runMinilab(['step', '1', '--yes', '--plain'])
  for (const { manual } of chapters[0]!.stages)
    for (const line of manualLines(manual, 82)) expect(stdout).toContain(`      ${line}\n`)
  expect(stdout).toMatch(/^ {6}the code: .*\n {6}the manual: man 2 clone · man 2 execve · man 7 environ\n/m)
})
