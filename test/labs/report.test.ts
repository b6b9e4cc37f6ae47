// `minilab report`: what progress.json says, as a page and as a document to hand in.
import { execFileSync } from 'node:child_process'
import { chownSync, readFileSync, writeFileSync } from 'node:fs'
import { machine, release } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { exercises } from '../../lib/cli/exercises.ts'
import type { Progress } from '../../lib/labs/progress-shape.ts'
import { isReport, type LabReport } from '../../lib/labs/report-shape.ts'
import { makeReport } from '../../lib/labs/report.ts'
import { initWorkspace } from '../../lib/labs/workspace.ts'
import { isRoot, ORDINARY, runMinilab, userFolder, type UserName, users, self } from '../support/minilab.ts'

const labs = await Promise.all(exercises.map(({ load }) => load()))
const lab = labs.find(({ number }) => number === 3)!
const [first, second, third, fourth] = lab.tasks
const id = (task: { id: string } | undefined) => `3-root/${task!.id}`
const at = (minute: number) => `2026-11-22T09:0${minute}:00.000Z`

const PROGRESS: Progress = {
  minilab: 1,
  tasks: {
    [id(first)]: { first: at(0), last: at(1), attempts: 2, hints: 1, passed: at(1) },
    [id(second)]: { first: at(1), last: at(3), attempts: 4, hints: 3, passed: at(3), gaveUp: at(2) },
    [id(third)]: {
      first: at(3),
      last: at(5),
      attempts: 7,
      hints: 2,
      failing: {
        check: 'old-root-gone',
        diagnosis: 'The old root is still in sight:\u001b[2J umount2 is missing.',
      },
    },
    [id(fourth)]: { first: at(5), last: at(5), attempts: 0, hints: 1 },
    '3-root/of-another-version': { first: at(0), last: at(0), attempts: 1, hints: 0 },
  },
  predictions: {
    'How many columns has NSpid?': { step: 2, said: '1', answer: '2', at: at(6) },
    'What is PID 1?': { step: 2, said: 'sh', answer: 'sh', at: at(7) },
  },
}

/** A user's workspace with this progress. */
function workspace(user: UserName, progress: object = PROGRESS): string {
  const folder = join(userFolder(user), 'work')
  initWorkspace(folder)
  const file = join(folder, 'progress.json')
  writeFileSync(file, JSON.stringify(progress))
  if (isRoot && user === 'ordinary')
    for (const path of [folder, file]) chownSync(path, ORDINARY.uid, ORDINARY.gid)
  return folder
}

const report = (user: UserName, folder: string, args: string[] = [], env: NodeJS.ProcessEnv = {}) =>
  runMinilab(['report', ...args], { user, env: { MINILAB_WORKSPACE: folder, ...env } })

describe.each(users)('as %s', user => {
  test('the document: every task of every lab, in its state', async () => {
    const { status, stdout, stderr } = await report(user, workspace(user), ['--json', '--name', 'Ada'])
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const document = JSON.parse(stdout) as LabReport
    expect(isReport(document)).toBe(true)
    expect(document.learner).toEqual({ name: 'Ada', from: 'given with --name' })
    expect(document.machine).toMatchObject({
      kernel: release(),
      arch: machine(),
      mode: user === 'root' ? 'root' : 'rootless',
    })
    // cgroups(7): a v2 hierarchy is a mount of type cgroup2
    const has2 = / - cgroup2 /.test(readFileSync('/proc/self/mountinfo', 'utf8'))
    expect(/^(v2|hybrid)$/.test(document.machine.cgroup)).toBe(has2)

    expect(document.exercises.map(({ tasks }) => tasks.map(task => task.id))).toEqual(
      labs.map(({ tasks }) => tasks.map(task => task.id)),
    )
    const { tasks } = document.exercises.find(({ number }) => number === 3)!
    expect(tasks.slice(0, 5).map(({ state }) => state)).toEqual([
      'passed',
      'gave up',
      'failing',
      'tried',
      'untouched',
    ])
    expect(tasks[0]).toEqual({
      id: first!.id,
      title: first!.title,
      state: 'passed',
      ...PROGRESS.tasks[id(first)],
    })
    expect(tasks[2]).toMatchObject({ attempts: 7, hints: 2, failing: { check: 'old-root-gone' } })
    expect(document.predictions.map(({ step, right }) => [step, right])).toEqual([
      [2, false],
      [2, true],
    ])
  })

  test('the document has what the learner wrote, and nothing else of the workspace', async () => {
    const folder = workspace(user)
    const written = 'export const root = {} // “mine”\n'
    for (const [name, text] of Object.entries({
      '3-root.ts': written,
      'helper.ts': 'export {}\n',
      '3-root.before-reset.ts': '// before',
      'notes.txt': 'private',
    }))
      writeFileSync(join(folder, name), text)
    const document = JSON.parse((await report(user, folder, ['--json'])).stdout) as LabReport
    expect(isReport(document)).toBe(true)
    expect(document.files).toEqual([
      { name: '3-root.ts', text: written },
      { name: 'helper.ts', text: 'export {}\n' },
    ])
    const page = (await report(user, folder, ['--plain'])).stdout
    expect(page).toMatch(/Your code\n\n +3-root\.ts, 1 line\n +helper\.ts, 1 line/)
  })

  test('the page: the same in words, and how to hand it in', async () => {
    const { status, stdout } = await report(user, workspace(user), [
      '--plain',
      '--name',
      'Ada  L.\u001b]0;x\u0007',
    ])
    expect(status).toBe(0)
    expect(stdout).toContain(`✔  ${first!.title}: passed 2026-11-22 09:01, 2 attempts, 1 hint`)
    expect(stdout).toContain('1 of 2 right')
    expect(stdout).toContain('You said 1; the kernel says 2.')
    expect(stdout).toMatch(/old-root-gone: The old root/)
    expect(stdout).toMatch(/minilab report --json > ada-l\S*\.json/)
    // a stranger's control characters do nothing to the terminal
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
  })
})

test("the name: as they sign their commits in the workspace, else the account's", async () => {
  const user = self
  const folder = workspace(user)
  const none = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
  const named = async () =>
    (JSON.parse((await report(user, folder, ['--json'], none)).stdout) as LabReport).learner
  const [account = '', , , , gecos = ''] = execFileSync('getent', ['passwd', String(process.getuid!())], {
    encoding: 'utf8',
  }).split(':')
  expect(await named()).toEqual({ name: gecos.split(',')[0] || account, from: "the account's name" })
  execFileSync('git', ['init', '-q', folder])
  execFileSync('git', ['-C', folder, 'config', 'user.name', 'Grace Hopper'])
  expect(await named()).toEqual({ name: 'Grace Hopper', from: 'git config user.name' })
})

test.skipIf(!isRoot)(`under sudo, who called it${isRoot ? '' : ' (needs root)'}`, async () => {
  const folder = workspace('ordinary')
  const sudo = { SUDO_UID: String(ORDINARY.uid), SUDO_GID: String(ORDINARY.gid), SUDO_USER: 'nobody' }
  const none = { GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_SYSTEM: '/dev/null' }
  const { stdout } = await report('root', folder, ['--json'], { ...sudo, ...none })
  const [account] = execFileSync('getent', ['passwd', String(ORDINARY.uid)], { encoding: 'utf8' }).split(':')
  expect((JSON.parse(stdout) as LabReport).learner.name).toBe(account)
})

test('of an empty progress everything is untouched', () => {
  const machineOf = { kernel: '', arch: '', cgroup: 'v2', mode: 'root', minilab: '' } as const
  const document = makeReport(
    labs,
    { minilab: 1, tasks: {}, predictions: {} },
    { learner: { name: '', from: 'given with --name' }, machine: machineOf },
  )
  expect(isReport(document)).toBe(true)
  expect(new Set(document.exercises.flatMap(({ tasks }) => tasks.map(({ state }) => state)))).toEqual(
    new Set(['untouched']),
  )
})

test('without a workspace: one line that says what to do', async () => {
  const user = self
  const { status, stderr } = await report(user, userFolder(user))
  expect(status).toBe(2)
  expect(stderr).toMatch(/^minilab: .*no workspace.*\n$/)
})
