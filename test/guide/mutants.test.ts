import { expect, test } from 'vitest'
import { steps } from '../../lib/cli/steps.ts'

// That each mutant is seen by the checks that it declares: test/chapters/mutants, where they are built.

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
