import { describe, expect, test } from 'vitest'
import { readProgress } from '../../lib/labs/progress.ts'
import { users } from '../support/minilab.ts'
import { newLearner, solution } from './support.ts'

describe.each(users)('as %s', user => {
  test('a lab from the start file to the reference: verdicts, hints, differences, the solution', async () => {
    const learner = await newLearner(user)
    const { folder, run, check } = learner
    const shown = await run(['lab', '3', '--plain'])
    expect(shown).toMatchObject({ status: 0, stderr: '' })
    for (const words of ['Task', 'jail', 'pivot_root(2)', '3-root.ts', 'minilab watch 3'])
      expect(shown.stdout.toLowerCase()).toContain(words.toLowerCase().replace('task', 'lab'))

    const untouched = await check(3)
    expect(untouched).toMatchObject({ lab: 3, passed: false, problem: null, said: '', left: [] })
    expect(untouched.tasks.map(({ state }) => state)).toEqual(untouched.tasks.map(() => 'failed'))
    expect((await run(['check', '3', '--plain'])).status).toBe(1)

    for (const level of [1, 2, 3, 3]) {
      const { stdout } = await run(['hint', '3'])
      expect(stdout.match(/\d\/3/g)).toEqual(['1/3', '2/3', '3/3'].slice(0, level))
    }
    const refused = await run(['solution', '3'])
    expect(refused).toMatchObject({ status: 2, stdout: '' })
    expect(refused.stderr).toMatch(/^minilab: [^\n]+--give-up\n$/)

    // a misconception: named by the check, and by the tapes
    const forgot = solution('3-root').replace("    tape.umount2('.', MNT_DETACH)\n", '')
    learner.write('3-root.ts', forgot)
    const { tasks, problem } = await check(3)
    const [jail, , pivot] = tasks
    expect([jail?.state, pivot?.state, problem]).toEqual(['passed', 'failed', null])
    expect(pivot?.checks.map(({ diagnosis }) => diagnosis).join()).toContain(
      'umount2(".", MNT_DETACH) was forgotten',
    )
    expect(pivot?.difference).toMatch(/^The reference also calls `umount2\("\.", MNT_DETACH\)`/)
    const difference = await run(['diff', '3', '--plain'])
    expect(difference.stdout).toMatch(/^ +umount2\("\.", MNT_DETACH\)$/m)
    expect(difference.stdout).toMatch(/^ +\d+ {2}pivot_root\("\.", "\."\) +pivot_root\("\.", "\."\)$/m)

    learner.write('3-root.ts', solution('3-root'))
    const done = await run(['check', '3', '--plain'])
    expect(done).toMatchObject({ status: 0, stderr: '' })
    expect(done.stdout).toContain('all 6 tasks')
    expect((await run(['diff', '3', '--plain'])).stdout).toContain('The same calls in the same order')
    expect((await run(['solution', '3'])).stdout).toBe(solution('3-root'))

    const noted = readProgress({ folder }).tasks
    expect(noted['3-root/jail']).toMatchObject({
      attempts: 2,
      hints: 3,
      passed: expect.any(String) as string,
    })
    expect(noted['3-root/pivot']).toMatchObject({
      attempts: 1,
      hints: 0,
      passed: expect.any(String) as string,
    })
    expect(noted['3-root/pivot']).not.toHaveProperty('failing')
    expect(noted['3-root/pivot']).not.toHaveProperty('gaveUp')
  })
})

test('giving up shows the solution, and is noted', async () => {
  const { folder, run } = await newLearner()
  expect((await run(['solution', 'root', '--give-up'])).stdout).toBe(solution('3-root'))
  expect(readProgress({ folder }).tasks['3-root/jail']).toMatchObject({
    gaveUp: expect.any(String) as string,
  })
})

test.each([
  { words: ['check', '9'], says: /there is no lab "9": they are 1 cli/ },
  { words: ['lab', 'roott'], says: /there is no lab "roott": did you mean root\?/ },
  { words: ['watch', '3'], says: /watch needs a terminal: use minilab check N/ },
  { words: ['check', '3'], env: { MINILAB_WORKSPACE: '/nowhere' }, says: /\/nowhere, which is no workspace/ },
])('minilab $words: one line', async ({ words, env = {}, says }) => {
  const { run } = await newLearner()
  const { status, stdout, stderr } = await run(words, env)
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toMatch(/^[^\n]+\n$/)
  expect(stderr).toMatch(says)
})

test.each([
  ['breakOut throws', 'tape.chroot(second)', "throw new Error('oops')", 'break-out'],
  ['the part is no TypeScript', "tape.pivot_root('.', '.')", 'const = 1', 'pivot'],
])('%s: that is the task which is worked on, although none is passed', async (_, line, instead, working) => {
  const learner = await newLearner()
  learner.write('3-root.ts', solution('3-root').replace(line, instead))
  expect(await learner.check(3)).toMatchObject({ working, problem: { at: { text: instead } } })
})

test('what the type checker says comes with the verdict: the line, and a promise that nothing waits for', async () => {
  const learner = await newLearner()
  const wrong = solution('4-limits').replace(
    "    await until(() => readFileSync(file, 'utf8')",
    "    until(() => readFileSync(file, 'utf8')",
  )
  const lines = wrong.split('\n')
  const at = (words: string) => lines.findIndex(line => line.includes(words)) + 1
  learner.write('4-limits.ts', wrong.replace('const { quota, period', 'const { quotas, period'))
  const { stdout } = await learner.run(['check', '4', '--json'])
  const { mistakes } = JSON.parse(stdout) as { mistakes: { at: { line: number }; says: string }[] }
  expect(mistakes.map(({ at: { line }, says }) => [line, says])).toContainEqual([
    at('    until('),
    'this makes a promise, and nothing waits for it: write `await` before it',
  ])
  expect(mistakes.find(({ at: { line } }) => line === at('const { quota, period'))?.says).toContain(
    "'quotas'",
  )
  expect((await learner.run(['check', '4', '--plain'])).stdout).toMatch(
    /The type checker says of your file:\n +4-limits\.ts:\d+ .*quotas/,
  )
})
