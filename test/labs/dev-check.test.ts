// What `minilab dev check` proves of each lab: the reference passes, the start file and an empty one fail, wrong answers fail by
// name, right ones pass. Here in every mode that this machine has.
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exercises } from '../../lib/cli/exercises.ts'
import {
  fillData,
  isRoot,
  makeUserFolder,
  runMinilab,
  type UserName,
  allUsers,
  modesOf,
  thorough,
} from '../support/minilab.ts'

interface Mode {
  name: string
  user: UserName
  flags: string[]
}

const modes: Mode[] = [
  ...allUsers.map(user => ({ name: user, user, flags: [] })),
  // an ordinary user may have no cgroup to write limits to
  ...(isRoot ? [{ name: '--rootless', user: 'root' as const, flags: ['--rootless'] }] : []),
]

// `npm test` tries one right and one wrong answer for each task of a lab that only records, .ci/run all of them
const isThorough = thorough([true]).length > 0
const QUICK = 2

test('there are seven labs, with 25 tasks or more', async () => {
  const labs = await Promise.all(exercises.map(({ load }) => load()))
  expect(labs.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5, 6, 7])
  expect(labs.flatMap(({ tasks }) => tasks).length).toBeGreaterThanOrEqual(25)
})

describe.each(modesOf(modes))('as $name', ({ name, user, flags }) => {
  let data = ''
  beforeAll(() => {
    data = makeUserFolder(user)
    fillData(data, user)
  })
  afterAll(() => rmSync(data, { recursive: true }))

  const possible = exercises.filter(({ number }) => name !== '--rootless' || number === 4)
  const labs = isThorough ? possible : possible.filter(({ number }) => number === QUICK)
  const answers = isThorough ? 'all answers' : 'a right and a wrong answer for each task'
  // one after the other: each of them keeps two processors busy
  test.each(labs)(`lab $number, ${answers}`, { timeout: 900_000 }, async ({ number }) => {
    const { status, stdout, stderr } = await runMinilab(
      ['dev', 'check', String(number), '--json', ...flags, ...(isThorough ? [] : ['--quick'])],
      { user, data },
    )
    expect(stderr).toBe('')
    const { results } = JSON.parse(stdout) as { results: { name: string; wrong: string | null }[] }
    expect(results.filter(({ wrong }) => wrong !== null)).toEqual([])
    expect(results.length).toBeGreaterThan(3)
    expect(status).toBe(0)
  })
})
