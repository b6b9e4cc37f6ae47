import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seenAsDeclared, type WrongReport } from '../../lib/guide/run-mutant.ts'
import { steps } from '../../lib/cli/steps.ts'
import { left, makeUserFolder, isRoot, runMinilab, type UserName, users } from '../support/minilab.ts'

/**
 * The whole matrix, mutants × checks. Every check is killed by a mutant, every mutant is seen by exactly the checks that it
 * declares, and each of those says in words what is wrong.
 */

interface Mode {
  name: string
  user: UserName
  flags: string[]
  /** the steps that are run so */
  numbers: number[]
}

const ALL = [1, 2, 3, 4, 5, 6, 7]
const MODES: Mode[] = [
  ...users.map(user => ({
    name: user,
    user,
    flags: [],
    numbers: isRoot && user === 'ordinary' ? ALL.filter(number => number !== 4) : ALL,
  })),
  // limits without root: an ordinary user may have no cgroup to write them to
  ...(isRoot ? [{ name: '--rootless', user: 'root' as const, flags: ['--rootless'], numbers: [4] }] : []),
]

const chapters = await Promise.all(
  steps.map(async ({ load, mutants }) => ({ step: await load(), mutants: await mutants() })),
)
const idsOf = ({ step }: (typeof chapters)[number]) =>
  step.stages.flatMap(({ checks = [] }) => checks.map(({ id }) => id))

test('there are 40 or more, their names tell them apart, and what they break is there', () => {
  expect(chapters.flatMap(({ mutants }) => mutants).length).toBeGreaterThanOrEqual(40)
  for (const chapter of chapters) {
    const names = chapter.mutants.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const { name, breaks, misconception } of chapter.mutants) {
      expect(Object.keys(breaks), name).not.toEqual([])
      expect(idsOf(chapter), name).toEqual(expect.arrayContaining(Object.keys(breaks)))
      expect(misconception, name).toMatch(/^\S.{10,}[^.]$/)
    }
  }
})

test.each(chapters)('step $step.number: every check has a mutant', chapter => {
  const killed = new Set(chapter.mutants.flatMap(({ breaks }) => Object.keys(breaks)))
  expect(idsOf(chapter).filter(id => !killed.has(id))).toEqual([])
})

describe.each(MODES)('as $name', ({ name: mode, user, flags, numbers }) => {
  const run = chapters.filter(({ step }) => numbers.includes(step.number))
  const cases = run.flatMap(({ step: { number }, mutants }) =>
    mutants
      .filter(({ rootOnly }) => !rootOnly || mode === 'root')
      .map(({ name, breaks }) => ({ number, name, breaks })),
  )
  const rows: string[] = []
  let data = ''
  beforeAll(async () => {
    data = makeUserFolder(user)
    await runMinilab(['step', '3', '--yes', '--json'], { user, data }) // makes the image that all share
  })
  afterAll(() => {
    rmSync(data, { recursive: true })
    console.log([`mutants, as ${mode}`, ...rows.toSorted()].join('\n'))
  })

  test.concurrent.each(cases)('step $number: $name', async ({ number, name, breaks }) => {
    const args = ['step', String(number), '--mutant', name, '--json', ...flags]
    const { status, stdout, stderr } = await runMinilab(args, { user, data })
    expect(stderr).toBe('')
    const report = JSON.parse(stdout) as WrongReport
    const failed = report.checks.filter(({ ok }) => ok === false)
    const unseen = report.checks.filter(({ id, ok }) => ok === null && id in breaks).map(({ id }) => id)
    rows.push(
      `  ${number} ${name.padEnd(34)} ${failed.map(({ id }) => `✘ ${id}`).join('  ')}${unseen.map(id => `  – ${id}`).join('')}`,
    )
    // those that cannot be looked at here are neither right nor wrong
    const expected = Object.entries(breaks).filter(([id]) => !unseen.includes(id))
    expect(report.refused).toBe(undefined)
    if (mode === 'root') expect(failed).not.toEqual([]) // root can look at everything
    expect(Object.fromEntries(failed.map(({ id, diagnosis }) => [id, diagnosis]))).toEqual(
      Object.fromEntries(expected.map(([id, words]) => [id, expect.stringContaining(words)])),
    )
    expect(status).toBe(seenAsDeclared(report) ? 0 : 1)
    expect(left({ ...report, host: { ...report.host, left: report.host.left.filter(isOnMachine) } })).toEqual(
      [],
    )
  })
})

/** Mounts, links and names that came out of a container go with the bench; processes and cgroups must be gone before. */
const isOnMachine = (line: string) => /^\S (process|cgroup) /.test(line)
