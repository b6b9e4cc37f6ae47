import { describe, expect, test } from 'vitest'
import { readProgress } from '../../lib/labs/progress.ts'
import { isRoot, thorough, users, few } from '../support/minilab.ts'
import * as lines from './lines/7-run.ts'
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
    const same = (await run(['diff', '3', '--plain'])).stdout
    expect(same).toContain('the same calls in the same order')
    // with the line that makes it, each call has the reason for it
    expect(same).toMatch(/^ +\d+ {2}umount2\("\.", MNT_DETACH\)\n {12}After the exchange the old root/m)
    expect(same.match(/A device is attached to a file/g)).toHaveLength(1)
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

test('the reference beside itself has no difference either where all addresses are others each time', async () => {
  const { run, write } = await newLearner()
  write('6-network.ts', solution('6-network'))
  const { stdout } = await run(['diff', '6', '--plain'])
  expect(stdout).toContain('the same calls in the same order')
  expect(stdout).toContain('RTM_NEWADDR(bridgeAddress dev "mlb-<id>")')
  expect(stdout).toContain('RTM_NEWROUTE(default via gateway)')
})

test('hints: all of them once the lab is passed, and from the first again after a reset', async () => {
  const { folder, run, write, check } = await newLearner()
  const shown = async () => (await run(['hint', '1'])).stdout.match(/\d\/3/g)
  await run(['hint', '1'])
  write('1-cli.ts', solution('1-cli'))
  expect(await check(1)).toMatchObject({ passed: true })
  const passed = readProgress({ folder }).tasks
  expect(await shown()).toHaveLength(3 * Object.keys(passed).length)
  const [first] = Object.values(passed)
  expect(first?.hints).toBe(1)

  await run(['reset', '1'])
  expect(await shown()).toEqual(['1/3'])
  expect(await shown()).toEqual(['1/3', '2/3'])
  // what was reached is not lost, and the report has all hints that were ever read
  const [again] = Object.values(readProgress({ folder }).tasks)
  expect(again).toMatchObject({ passed: first?.passed, hints: 2 })
  expect((await run(['progress', '--plain'])).stdout).toContain('in 1-cli.ts')
  expect((await run(['solution', '1'])).status).toBe(0)
  write('1-cli.ts', solution('1-cli'))
  await check(1)
  expect(await shown()).toHaveLength(3 * Object.keys(passed).length)
})

test('giving up shows the solution, and is noted', async () => {
  const { folder, run } = await newLearner()
  expect((await run(['solution', 'root', '--give-up'])).stdout).toBe(solution('3-root'))
  expect(readProgress({ folder }).tasks['3-root/jail']).toMatchObject({
    gaveUp: expect.any(String) as string,
  })
})

test.each(
  few(2, [
    { words: ['check', '9'], says: /there is no lab "9": the labs are 1 cli/ },
    { words: ['lab', 'roott'], says: /there is no lab "roott": did you mean root\?/ },
    { words: ['watch', '3'], says: /watch needs a terminal: use minilab check N/ },
    {
      words: ['check', '3'],
      env: { MINILAB_WORKSPACE: '/nowhere' },
      says: /\/nowhere, which is no workspace/,
    },
  ]),
)('minilab $words: one line', async ({ words, env = {}, says }) => {
  const { run } = await newLearner()
  const { status, stdout, stderr } = await run(words, env)
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toMatch(/^[^\n]+\n$/)
  expect(stderr).toMatch(says)
})

const broken: [string, string, string, string][] = [
  ['breakOut throws', 'tape.chroot(second)', "throw new Error('oops')", 'break-out'],
  ['the part is no TypeScript', "tape.pivot_root('.', '.')", 'const = 1', 'pivot'],
]
test.each([...broken.slice(0, 1), ...thorough(broken.slice(1))])(
  '%s: that is the task which is worked on, although none is passed',
  async (_, line, instead, working) => {
    const learner = await newLearner()
    learner.write('3-root.ts', solution('3-root').replace(line, instead))
    expect(await learner.check(3)).toMatchObject({ working, problem: { at: { text: instead } } })
  },
)

test('before anything is written for a task, check says what to do, and not what the reference calls', async () => {
  const learner = await newLearner()
  const all = solution('1-cli')
  const unset = all.replaceAll('args, env)', 'args, [])')
  const stillBegun = async () => {
    const { working, written, tasks } = await learner.check(1)
    return [working, written, tasks.find(({ id }) => id === working)?.difference]
  }
  const isExplained = [false, null]
  expect((await stillBegun()).slice(1)).toEqual(isExplained) // the start file
  learner.write('1-cli.ts', unset)
  expect(await stillBegun()).toEqual(['environment', ...isExplained])
  const { stdout } = await learner.run(['check', '1', '--plain'])
  expect(stdout).toContain('An environment is not inherited automatically')
  expect(stdout).not.toContain('≠')
  learner.write('1-cli.ts', `${unset}\n// thought about it`)
  expect(await stillBegun()).toEqual(['environment', true, expect.stringContaining('the reference `execve(')])
  // a call of the task's own is an attempt, although the file was never checked before
  learner.write('1-cli.ts', all.replace('LAST_DESCRIPTOR, 0)', '3, 0)'))
  expect(await stillBegun()).toEqual(['descriptors', true, expect.stringContaining('close_range(3, 3, 0)')])
})

test('what is said of the tapes has the values of the run that the checks speak of', async () => {
  const learner = await newLearner()
  learner.write('1-cli.ts', solution('1-cli').replace('tape.chdir(cwd)', "tape.chdir('/tmp')"))
  const { tasks } = await learner.check(1)
  const { difference, checks } = tasks.find(({ id }) => id === 'directory')!
  const [, asked] =
    /^It should be in (\S+), but/.exec(checks.map(({ diagnosis }) => diagnosis ?? '').join('')) ?? []
  expect(asked).not.toBe('/tmp')
  expect(difference).toContain(`the reference \`chdir("${asked}")\``)
})

const { FILTER, GROUPS, LAYERS, NO_NEW, ROOT } = lines
const stopped: {
  what: string
  edits: [string, string][]
  working: string
  at: string | undefined
  says: RegExp
}[] = [
  {
    what: 'a filter before no_new_privs',
    edits: [
      [FILTER, ''],
      [NO_NEW, FILTER + NO_NEW],
    ],
    working: 'seccomp',
    at: FILTER,
    says: /^seccomp\(.* EACCES .*: the kernel accepts a filter only after no_new_privs, or with CAP_SYS_ADMIN$/,
  },
  {
    what: 'no_new_privs left out',
    edits: [[NO_NEW, '    void [noNewPrivileges, PR_SET_NO_NEW_PRIVS]\n']],
    working: 'no-new-privs',
    at: FILTER,
    says: /^prctl\(PR_SET_NO_NEW_PRIVS, .*was left out/,
  },
  {
    what: 'setgroups as no attempt',
    edits: [[GROUPS, GROUPS.replace('attempt.', '')]],
    working: 'user',
    at: GROUPS.replace('attempt.', ''),
    says: /^setgroups\(.* EPERM .*: a user namespace with only one id refuses it$/,
  },
  {
    what: 'a loop up to 63',
    edits: [['cap <= last', 'cap <= 63 + 0 * last']],
    working: 'capabilities',
    at: lines.DROP,
    says: /^prctl\(PR_CAPBSET_DROP.* EINVAL .*: there is no such capability: \/proc\/sys\/kernel\/cap_last_cap says \d+$/,
  },
  {
    what: 'root before layers',
    edits: [
      [LAYERS, ''],
      [ROOT, ROOT + LAYERS],
    ],
    working: 'order',
    at: undefined, // that part is ours
    says: /: `layers` comes before `root`: nothing is mounted yet where root pivots to$/,
  },
]
test.each([...stopped.slice(0, 2), ...thorough(stopped.slice(2))])(
  '$what: the call that stopped lab 7 is said with its line, in its task',
  async ({ edits, working, at, says }) => {
    const learner = await newLearner()
    const text = edits.reduce((text, [from, to]) => text.replace(from!, to!), solution('7-run'))
    learner.write('7-run.ts', text)
    const { problem, ...verdict } = await learner.check(7)
    expect(problem?.what).toMatch(says)
    expect([verdict.working, problem?.at?.text]).toEqual([working, at?.trim().split('\n').at(-1)])
  },
)

test('lab 7 passes with our parts in the places of those that are not written yet, and says so', async () => {
  const learner = await newLearner()
  learner.write('7-run.ts', solution('7-run'))
  const { stdout } = await learner.run(['check', '7', '--plain'])
  expect(stdout).toContain('all 5 tasks')
  expect(stdout.replaceAll(/\s+/g, ' ')).toContain(
    'with our parts of lab 1, 2, 3, 4, 5, 6, which you have not passed yet',
  )
})

const ofRoot = isRoot ? test : undefined // without root no cgroup can be had here
ofRoot?.('what a file of a cgroup refuses belongs to the task about that file', async () => {
  const learner = await newLearner()
  learner.write('4-limits.ts', solution('4-limits').replace('String(value)', 'String(value / 1000)'))
  const { problem, working } = await learner.check(4)
  expect(problem?.what).toMatch(/^write\(".*\/memory\.\w+"/)
  expect(working).toBe('memory')
})

test('an async function that forEach calls is named: nothing waits for it', async () => {
  const learner = await newLearner()
  const loop = "[1].forEach(async () => void (await import('node:fs')))\n"
  learner.write('1-cli.ts', solution('1-cli') + loop)
  const { stdout } = await learner.run(['check', '1', '--json'])
  const { mistakes } = JSON.parse(stdout) as { mistakes: { says: string }[] }
  expect(mistakes.map(({ says }) => says).join()).toContain('nothing waits for its promise')
})

test('a /dev/null that is the endless /dev/zero is blamed on the devices, and holds nothing up', async () => {
  const learner = await newLearner()
  const names = 'DEVICES.entries()'
  learner.write('3-root.ts', solution('3-root').replace(names, 'DEVICES.toSorted().entries()'))
  const { tasks, problem, working } = await learner.check(3)
  expect({ problem, working }).toEqual({ problem: null, working: 'dev' })
  expect(tasks.filter(({ state }) => state === 'passed').map(({ id }) => id)).toEqual([
    'jail',
    'break-out',
    'pivot',
    'proc',
  ])
  expect(
    tasks
      .find(({ id }) => id === 'dev')
      ?.checks.map(({ diagnosis }) => diagnosis)
      .join(),
  ).toContain('the wrong device: null (')
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
