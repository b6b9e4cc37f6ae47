import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { checks } from '../../chapters/2-namespaces/checks.ts'
import { type Made, step } from '../../chapters/2-namespaces/step.ts'
import { Presenter } from '../../lib/guide/present.ts'
import { runStep } from '../../lib/guide/run-step.ts'
import type { Check, Report } from '../../lib/guide/step.ts'
import { NAMESPACES, namespaceInode } from '../../lib/kernel/procfs.ts'
import type { Change } from '../support/changed-step-2.ts'
import { isRoot, left, runMinilab, userFolder, users } from '../support/minilab.ts'

afterEach(() => void vi.unstubAllEnvs())

const { inodes, ...others } = checks
const IDS = [...inodes, ...Object.values(others)].map(check => check.id)

describe.each([...users, ...(isRoot ? (['rootless'] as const) : [])])('as %s', who => {
  const user = who === 'ordinary' ? who : users[0]!

  test('every check holds, and nothing is left', async () => {
    const host = () =>
      ['hostname', 'domainname'].map(name => readFileSync(`/proc/sys/kernel/${name}`, 'utf8'))
    const before = host()
    const flags = who === 'rootless' ? ['--rootless'] : []
    const ran = await runMinilab(['step', '2', '--json', ...flags], { user })
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    const [report, ...others] = ran.json()
    expect(others).toEqual([])
    expect(report!.checks.map(({ id, ok, limited }) => ({ id, ok, limited }))).toEqual(
      IDS.map(id => ({ id, ok: true, limited: null })),
    )
    expect(report).toMatchObject({
      step: 2,
      ok: true,
      mode: who === 'root' ? 'root' : 'rootless',
      limited: [],
    })
    expect(left(report!)).toEqual([])
    expect(host()).toEqual(before)

    // what it shows of the host is what we see, and each inode of the container is another
    const inodes = report!.checks
      .filter(({ id }) => id.startsWith('own-'))
      .map(({ evidence }) => evidence[0]!)
    expect(inodes.map(({ host }) => host)).toEqual(
      NAMESPACES.map(kind => String(namespaceInode('self', kind))),
    )
    expect(new Set(inodes.flatMap(({ host, container }) => [host, container])).size).toBe(
      2 * NAMESPACES.length,
    )
    const made = report!.host.changed.filter(line => line.startsWith('+ namespace'))
    expect(made.sort()).toEqual(
      NAMESPACES.map((kind, i) => `+ namespace ${kind}:[${inodes[i]!.container}]`).sort(),
    )
  })
})

test('what the kernel answers to each prediction is one of the choices', async () => {
  vi.stubEnv('MINILAB_DATA', userFolder())
  const answers: string[] = []
  const look: Check<Made>['look'] = async scene => {
    for (const { predict } of step.stages) if (predict) answers.push(await predict.answer(scene))
    return { ok: true, evidence: [] }
  }
  const stages = [{ ...step.stages[0]!, checks: [{ id: 'answers', claim: '', look }] }]
  const options = { rootless: !isRoot, runtime: 'minilab', keep: false, ask: false, command: [] }
  await runStep({ ...step, stages }, { ...options, presenter: new Presenter({ quiet: true }) })
  expect(answers).toEqual(['1', 'a day longer'])
  const choices = step.stages.flatMap(({ predict }) => predict?.choices ?? [])
  expect(choices).toEqual(expect.arrayContaining(answers))
})

/** Wrong ways to build it. Each check must see through them, and say why. */
describe('mutants', () => {
  /** Runs the step where it can spoil nothing: in namespaces that go with it. Its data are not in /tmp, which it covers. */
  function run(change: Omit<Change, 'rootless'>): Report {
    const data = mkdtempSync('/var/tmp/minilab-test-')
    onTestFinished(() => rmSync(data, { recursive: true }))
    const script = join(import.meta.dirname, '../support/changed-step-2.ts')
    const options = JSON.stringify({ ...change, rootless: !isRoot })
    const wrapper = [isRoot ? '-muin' : '-Urmuin', process.execPath, script, options]
    const env = { ...process.env, MINILAB_DATA: data }
    return JSON.parse(execFileSync('unshare', wrapper, { encoding: 'utf8', env })) as Report
  }

  const mutants: { name: string; change: Omit<Change, 'rootless'>; rejected: Record<string, RegExp> }[] = [
    {
      name: 'no user namespace',
      change: { without: ['user'] },
      rejected: { 'own-user': /CLONE_NEWUSER is missing/, 'uid-map': /child is in our user namespace/ },
    },
    {
      name: 'no pid namespace',
      change: { without: ['pid'] },
      rejected: { 'own-pid': /CLONE_NEWPID .*nothing forked after it/, 'pid-one': /CLONE_NEWPID is missing/ },
    },
    {
      name: 'no mount namespace, nor a user namespace that would keep it from mounting',
      change: { without: ['user', 'mount'] },
      rejected: {
        'own-mnt': /CLONE_NEWNS is missing/,
        mount: /came out to the host.*CLONE_NEWNS is missing/,
      },
    },
    {
      name: 'no uts namespace, nor a user namespace',
      change: { without: ['user', 'uts'] },
      rejected: { 'own-uts': /CLONE_NEWUTS/, hostname: /host was renamed too.*CLONE_NEWUTS is missing/ },
    },
    {
      name: 'no ipc namespace',
      change: { without: ['ipc'] },
      rejected: { 'own-ipc': /CLONE_NEWIPC is missing/, queue: /CLONE_NEWIPC is missing/ },
    },
    {
      name: 'no network namespace',
      change: { without: ['network'] },
      rejected: { 'own-net': /CLONE_NEWNET is missing/, link: /made in the host’s network namespace/ },
    },
    {
      name: 'no cgroup namespace',
      change: { without: ['cgroup'] },
      rejected: { 'own-cgroup': /unshare\(CLONE_NEWCGROUP\) never ran/ },
    },
    {
      name: 'no time namespace',
      change: { without: ['time'] },
      rejected: { 'own-time': /CLONE_NEWTIME is missing/, uptime: /CLONE_NEWTIME is missing/ },
    },
    {
      name: 'a time namespace whose offsets were never written',
      change: { offsets: false },
      rejected: { uptime: /offsets were written after the first process had entered/ },
    },
  ]

  test.each(mutants)('$name', ({ change, rejected }) => {
    const report = run(change)
    const failed = report.checks.filter(({ ok }) => ok === false)
    expect(Object.fromEntries(failed.map(({ id, diagnosis }) => [id, diagnosis]))).toMatchObject(
      Object.fromEntries(Object.entries(rejected).map(([id, why]) => [id, expect.stringMatching(why)])),
    )
    expect(report.ok).toBe(false)
  })

  test.skipIf(!isRoot)(`who never becomes root inside${isRoot ? '' : ' (only as root)'}`, () => {
    const report = run({ calls: ['setresuid', 'setresgid'] })
    const failed = report.checks.find(({ id }) => id === 'root-inside')
    expect(failed).toMatchObject({ ok: false, diagnosis: expect.stringMatching(/never became uid 0/) })
  })

  test('a mount or a link that comes out is found on the host, too', () => {
    expect(run({ without: ['user', 'mount'] }).host.left).toEqual(['+ mount tmpfs on /tmp'])
    expect(run({ without: ['network'] }).host.left.sort()).toEqual([
      expect.stringMatching(/^\+ link in-/),
      expect.stringMatching(/^\+ link in-.*-peer$/),
    ])
  })
})
