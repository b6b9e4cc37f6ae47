import { expect, test } from 'vitest'
import { exercises } from '../../lib/cli/exercises.ts'
import { labAfter, nextLab } from '../../lib/labs/next.ts'
import type { Progress } from '../../lib/labs/progress-shape.ts'
import { taskKey } from '../../lib/labs/verdict.ts'
import { newLearner, solution } from './support.ts'

const labs = await Promise.all(exercises.map(({ load }) => load()))

/** A progress in which these labs are passed, and of others the first task was tried in this order. */
function progressWith(passed: number[], tried: number[] = []): Progress {
  const tasks: Progress['tasks'] = {}
  for (const lab of labs)
    for (const { id } of passed.includes(lab.number) ? lab.tasks : []) {
      const at = '2026-01-01T00:00:00.000Z'
      tasks[taskKey(lab, id)] = { first: at, last: at, attempts: 0, hints: 0, passed: at }
    }
  for (const [minute, number] of tried.entries()) {
    const at = `2026-01-02T00:0${minute}:00.000Z`
    const lab = labs[number - 1]!
    tasks[taskKey(lab, lab.tasks[0]!.id)] = { first: at, last: at, attempts: 1, hints: 0 }
  }
  return { minilab: 1, tasks, predictions: {} }
}

test.each([
  { passed: [], next: 2 },
  { passed: [2], next: 3 },
  { passed: [2, 3], next: 7 },
  { passed: [2, 3, 7], next: 1 },
  { passed: [1, 2, 3, 4, 5, 6, 7], next: undefined },
  { passed: [], tried: [4, 1], next: 1 },
  { passed: [1], tried: [4], next: 4 },
])('with $passed passed and $tried tried, $next is next', ({ passed, tried, next }) => {
  expect(nextLab(labs, progressWith(passed, tried))?.number).toBe(next)
})

test('who leaves a lab that is not passed comes to another', () => {
  expect(labAfter(labs, progressWith([], [3]), labs[2]!)?.number).toBe(7)
  expect(labAfter(labs, progressWith([], [7]), labs[6]!)?.number).toBe(2)
  expect(labAfter(labs, progressWith([1, 2, 3, 4, 5, 6]), labs[6]!)).toBe(undefined)
})

test('the lab that was opened last is the one to go on with', async () => {
  const { run } = await newLearner()
  await run(['lab', '3'])
  expect((await run(['hint'])).stdout).toContain('Lab 3, task 1')
  expect((await run(['lab', '1'])).status).toBe(0)
  expect((await run(['hint'])).stdout).toContain('Lab 1, task 1')
})

test('tour, progress, check and lab name the same lab', async () => {
  const { run, write, check } = await newLearner()
  for (const _ of ['nothing is begun', 'lab 1 is passed']) {
    const next = JSON.parse((await run(['progress', '--json'])).stdout) as { next: { number: number } }
    expect(next.next.number).toBe(2)
    expect((await run(['lab', '--plain'])).stdout).toContain(' Lab 2 ')
    write('1-cli.ts', solution('1-cli'))
    expect((await check(1)).next).toBe(2)
  }
  expect((await run(['check', '1', '--plain'])).stdout).toContain('Next: minilab lab 2 Compare')
})
