import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { steps } from '../../lib/cli/steps.ts'
import { findProgram } from '../../lib/container/net/rule-tool.ts'
import { type ChapterVerdict, type Diagnosis, judge } from '../../lib/guide/doctor/diagnose.ts'
import { page } from '../../lib/guide/doctor/page.ts'
import type { Verdict } from '../../lib/guide/doctor/probe.ts'
import { type Evidence, explainUserNamespaces } from '../../lib/guide/doctor/user-namespaces.ts'
import { hierarchies } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { isolated } from '../support/isolated.ts'
import {
  isRoot,
  runMinilab,
  type RunOptions,
  userFolder,
  type UserName,
  users,
  userData,
  thorough,
} from '../support/minilab.ts'
import type { Within } from '../support/within.ts'

async function doctor(options: RunOptions): Promise<Diagnosis & { status: number | null }> {
  const { status, stdout, stderr } = await runMinilab(['doctor', '--json'], options)
  expect(stderr).toBe('')
  return { status, ...(JSON.parse(stdout) as Diagnosis) }
}

/** What a step really does here. */
async function verdictOf(step: number, options: RunOptions): Promise<Verdict> {
  const { status, json } = await runMinilab(['step', String(step), '--yes', '--json'], options)
  const [report] = json()
  if (status !== 0 || !report) return 'blocked'
  return report.checks.some(({ ok }) => ok === null) ? 'limited' : 'ok'
}

const verdicts = ({ chapters }: { chapters: ChapterVerdict[] }) => chapters.map(({ verdict }) => verdict)
const probeOf = ({ probes }: Diagnosis, id: string) => probes.find(probe => probe.id === id)
const chapterOf = ({ chapters }: Diagnosis, step: number) => chapters[step - 1]

describe.each(users)('as %s', user => {
  test('the document tells about the machine and each chapter, and nothing is left of the trials', async () => {
    const data = userData(user)
    const place = user === 'root' ? await isolated() : undefined
    const diagnosis = await doctor({ user, data, wrapper: place?.wrapper ?? [] })
    expect(diagnosis).toMatchObject({
      kernel: readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim(),
      arch: execFileSync('uname', ['-m'], { encoding: 'utf8' }).trim(),
      mode: user === 'root' ? 'root' : 'rootless',
      status: verdicts(diagnosis).includes('blocked') ? 3 : 0,
    })
    expect(diagnosis.chapters.map(({ step, name }) => [step, name])).toEqual(
      steps.map(({ name }, i) => [i + 1, name]),
    )
    for (const { ok, found, fix } of diagnosis.probes) {
      expect(found).not.toBe('')
      // what is not there has a remedy, or waits for another that has one
      expect(fix !== null || found.startsWith('not tried')).toBe(ok !== 'ok')
    }
    for (const { verdict, reasons, fix } of diagnosis.chapters)
      expect([reasons.length > 0, fix.length > 0]).toEqual([verdict !== 'ok', verdict !== 'ok'])
    expect(readdirSync(join(data, 'containers'))).toEqual([])
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
    expect(place?.links() ?? ['lo']).toEqual(['lo'])
    expect(place?.cgroups() ?? []).toEqual([])
  })

  test('it agrees with the steps', async () => {
    const options = { user, data: userData(user) }
    const diagnosis = await doctor(options)
    for (const step of [user === 'root' ? 2 : 4])
      expect([step, chapterOf(diagnosis, step)?.verdict]).toEqual([step, await verdictOf(step, options)])
  })

  test('a data folder that cannot be written to', async () => {
    const diagnosis = await doctor({ user, data: '/proc/minilab' })
    expect(verdicts(diagnosis)).toEqual(['ok', 'ok', ...Array<Verdict>(5).fill('blocked')])
    expect(chapterOf(diagnosis, 3)).toMatchObject({
      reasons: [expect.stringMatching(/^disk: cannot make \/proc\/minilab/)],
      fix: ['MINILAB_DATA=$(mktemp -d -p /dev/shm) ./minilab …'],
    })
    expect(diagnosis.status).toBe(3)
  })
})

/** A machine that lacks something, made of this one: in namespaces of its own, so that this one stays as it is. */
interface Environment {
  name: string
  wrapper: (data: string) => string[]
  users?: UserName[]
  /** a program that must be installed */
  needs?: string
  data?: (folder: string) => string
  expected: Partial<Record<number, Verdict>>
  /** what stands in the place of a probe and in the fixes of a chapter */
  because: [probe: string, ok: Verdict, found: RegExp]
  fix: [step: number, RegExp]
  /** the steps that are really run, to see whether it was right */
  run: number[]
}

const shell = (script: string) => ['/bin/sh', '-ec', `${script}; exec "$@"`, 'sh']
const within = (options: Within) => [
  process.execPath,
  join(import.meta.dirname, '../support/within.ts'),
  JSON.stringify(options),
]
const unshared = (script: string, more: string[] = []) => ['unshare', '--mount', ...more, ...shell(script)]
const ORDINARY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
const MASKS = `
  for name in keys timer_list kcore; do [ ! -e /proc/$name ] || mount --bind /dev/null /proc/$name; done
  mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys
  mount -t tmpfs tmpfs /run; mkdir /run/systemd; echo lxc > /run/systemd/container`
const all = (verdict: Verdict, from: number, to = 7) =>
  Object.fromEntries(Array.from({ length: to - from + 1 }, (_, i) => [from + i, verdict]))

/** Node, and all of ours that it needs, in a container that `minilab run` makes. */
function insideOurs(): string[] {
  const root = join(import.meta.dirname, '../..')
  const lent = ['/lib', '/lib64', '/usr/lib', root, process.execPath].filter(path => existsSync(path))
  const volumes = lent.flatMap(path => ['-v', `${path}:${path}:ro`])
  const flags = ['--rm', '--network', 'none', '-e', 'MINILAB_DATA=/tmp/data', ...volumes]
  return [process.execPath, join(root, 'bin.mjs'), 'run', ...flags, 'default']
}
const OURS = {
  expected: all('blocked', 1),
  fix: [1, /docker run --privileged/],
  run: [1],
} satisfies Partial<Environment>

const environments: Environment[] = [
  {
    name: 'no user namespaces',
    users: ['root', 'ordinary'],
    // user.max_user_namespaces is each user namespace's own: namespaces(7)
    wrapper: () => [
      ...within({ kinds: ['user', 'mount', 'network'] }),
      ...shell('echo 0 > /proc/sys/user/max_user_namespaces'),
    ],
    expected: { 1: 'ok', ...all('blocked', 2) },
    because: ['user-namespaces', 'blocked', /^forbidden: user\.max_user_namespaces = 0/],
    fix: [2, /^sudo sysctl -w user\.max_user_namespaces=15000$/],
    run: [1, 2],
  },
  {
    name: 'no network namespaces',
    wrapper: () => [
      ...within({ kinds: ['user', 'mount', 'network'] }),
      ...shell('echo 0 > /proc/sys/user/max_net_namespaces'),
    ],
    expected: { 1: 'ok', ...all('blocked', 2) },
    because: ['namespaces', 'blocked', /^refused: network$/],
    fix: [2, /^sudo sysctl -w user\.max_net_namespaces=15000$/],
    run: [2],
  },
  {
    name: 'a data folder on an overlay',
    data: folder => join(folder, 'merged/data'),
    wrapper: data =>
      unshared(
        `cd ${join(data, '../..')}; mount -t overlay overlay merged -o lowerdir=lower,upperdir=upper,workdir=work`,
      ),
    expected: { ...all('ok', 1, 3), 5: 'limited' },
    because: ['overlay', 'blocked', /is itself on an overlay/],
    fix: [5, /MINILAB_DATA=\$\(mktemp -d -p \/dev\/shm\)/],
    run: [5, 7],
  },
  {
    name: 'a data folder on a disk with noexec',
    wrapper: data => unshared(`mount -t tmpfs -o noexec tmpfs ${data}`),
    expected: { ...all('ok', 1, 2), ...all('blocked', 3, 4), 5: 'ok', 6: 'blocked' },
    because: ['image-root', 'blocked', /no program may run .*noexec/],
    fix: [3, /^MINILAB_DATA=\$\(mktemp -d -p \/dev\/shm\)/],
    run: [3, 5],
  },
  {
    name: 'a full disk',
    wrapper: data => unshared(`mount -t tmpfs -o size=1m tmpfs ${data}`),
    expected: { ...all('ok', 1, 2), ...all('blocked', 3) },
    because: ['disk', 'blocked', /on tmpfs, 0 MB free/],
    fix: [3, /^MINILAB_DATA=\$\(mktemp -d -p \/dev\/shm\)/],
    run: [3],
  },
  {
    name: 'read-only cgroups',
    wrapper: () =>
      unshared(
        hierarchies()
          .map(({ mount }) => `mount -o remount,bind,ro ${mount}`)
          .join('; '),
      ),
    expected: { ...all('ok', 1, 3), 4: 'limited' },
    because: ['cgroups', 'limited', /read-only/],
    fix: [4, /docker: --privileged/],
    run: [4],
  },
  {
    name: 'a container with a masked /proc',
    wrapper: () => unshared(MASKS),
    expected: { ...all('ok', 1, 2), ...all('blocked', 3) },
    because: ['nested', 'limited', /^yes \(lxc, by \/run\/systemd\/container\): parts of \/proc are covered/],
    fix: [3, /systempaths=unconfined/],
    run: [2, 3],
  },
  {
    name: "a container with Docker's capabilities and seccomp filter",
    wrapper: () => [...unshared(MASKS), ...within({ confined: true })],
    expected: all('blocked', 1),
    because: ['kernel', 'blocked', /clone3 fails with ENOSYS .* seccomp filter/],
    fix: [1, /docker run --privileged/],
    run: [1],
  },
  {
    name: 'a container of our own',
    wrapper: insideOurs,
    ...OURS,
    because: ['nested', 'limited', /covered .*, \/proc\/sys is read-only, a seccomp filter is in force$/],
  },
  {
    name: 'a container of our own, of an ordinary user',
    wrapper: data => [...shell(`chown 65534:65534 ${data}`), ...ORDINARY, ...insideOurs()],
    ...OURS,
    because: ['nested', 'limited', /only some user ids are mapped, .*a seccomp filter is in force$/],
  },
  {
    // strace changes the answer of the kernel, for this file system alone
    name: 'a kernel without overlay',
    needs: 'strace',
    wrapper: () =>
      'strace -f -q -o /dev/null -P overlay -e trace=mount -e inject=mount:error=ENODEV'.split(' '),
    expected: { ...all('ok', 1, 3), 5: 'limited', 7: 'blocked' },
    because: ['overlay', 'blocked', /^this kernel does not know the file system "overlay"$/],
    fix: [5, /modprobe overlay/],
    run: [5, 7],
  },
  {
    name: 'root of a user namespace only',
    wrapper: () => ['unshare', '--map-root-user'],
    expected: {},
    because: ['nested', 'limited', /only some user ids are mapped/],
    fix: [2, /^$/],
    run: [1, 2, 3],
  },
  {
    name: 'neither nft nor iptables',
    // in a network of its own: of the rules that the machine's firewall has, nobody could be asked any more
    wrapper: () =>
      unshared(
        'ip link set lo up; for tool in nft iptables; do for path in /usr/local/sbin /usr/sbin /sbin /usr/bin; do ' +
          '[ ! -e $path/$tool ] || mount --bind /dev/null $path/$tool; done; done',
        ['--net'],
      ),
    expected: { ...all('ok', 1, 3), 6: 'limited' },
    because: ['nat', 'limited', /^neither nft nor iptables is installed$/],
    fix: [6, /^sudo apt-get install nftables$/],
    run: [6],
  },
  {
    name: 'no /proc',
    wrapper: () => unshared('umount -l /proc'),
    expected: all('blocked', 1),
    because: ['proc', 'blocked', /not mounted/],
    fix: [1, /^sudo mount -t proc proc \/proc$/],
    run: [1],
  },
]

/** In `npm test`; CI makes all of them. */
const QUICK = [
  'no user namespaces',
  'a full disk',
  'read-only cgroups',
  'neither nft nor iptables',
  'no /proc',
]

describe.skipIf(!isRoot)('on a machine that lacks something (made by root)', () => {
  const quick = environments.filter(({ name }) => QUICK.includes(name))
  const chosen = [...quick, ...thorough(environments.filter(env => !quick.includes(env)))]
  const cases = chosen.flatMap(env => (env.users ?? ['root' as const]).map(user => ({ ...env, user })))
  test.for(cases)(
    '$name, as $user',
    async ({ wrapper, user, needs, data = d => d, expected, because, fix, run }, { skip }) => {
      skip(needs !== undefined && !findProgram(needs), `there is no ${needs} here: apt-get install ${needs}`)
      const folder = userFolder(user)
      for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(join(folder, name))
      const place = data(folder)
      const options: RunOptions = {
        user: 'root',
        data: place,
        wrapper: [...wrapper(place), ...(user === 'ordinary' ? ORDINARY : [])],
      }
      const diagnosis = await doctor(options)
      for (const [step, verdict] of Object.entries(expected))
        expect([step, chapterOf(diagnosis, Number(step))?.verdict]).toEqual([step, verdict])
      const [id, ok, found] = because
      expect(probeOf(diagnosis, id)).toMatchObject({ ok, found: expect.stringMatching(found) })
      expect(chapterOf(diagnosis, fix[0])?.fix.join('\n')).toMatch(fix[1])
      expect(diagnosis.status).toBe(verdicts(diagnosis).includes('blocked') ? 3 : 0)
      for (const step of run)
        expect([step, chapterOf(diagnosis, step)?.verdict]).toEqual([step, await verdictOf(step, options)])
    },
  )
})

describe('why there are no user namespaces', () => {
  const evidence = (knobs: Record<string, string>, other: Partial<Evidence> = {}): Evidence => ({
    sysctl: file => knobs[file],
    uidMap: '         0          0 4294967295\n',
    container: undefined,
    refusal: 'clone3 fails with EPERM',
    ...other,
  })
  const allowed = {
    'user/max_user_namespaces': '15000',
    'kernel/unprivileged_userns_clone': '1',
    'kernel/apparmor_restrict_unprivileged_userns': '0',
  }

  test.each([
    ['user/max_user_namespaces', '0', 'sudo sysctl -w user.max_user_namespaces=15000', false],
    ['kernel/unprivileged_userns_clone', '0', 'sudo sysctl -w kernel.unprivileged_userns_clone=1', true],
    [
      'kernel/apparmor_restrict_unprivileged_userns',
      '1',
      'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
      true,
    ],
  ])('%s = %s, to an ordinary user', (file, value, fix, sudo) => {
    const explained = explainUserNamespaces(true, evidence({ ...allowed, [file]: value }))
    expect(explained).toMatchObject({ fix, sudo })
    expect(explained.found).toContain(`${file.replace('/', '.')} = ${value}`)
  })

  test('a switch for ordinary users is not the reason for root, nor one that is on', () => {
    const knobs = { ...allowed, 'kernel/unprivileged_userns_clone': '0' }
    expect(explainUserNamespaces(false, evidence(knobs)).found).not.toContain('unprivileged_userns_clone')
    expect(explainUserNamespaces(true, evidence(allowed)).found).toContain('clone3 fails with EPERM')
  })

  test('in a container that is the reason; elsewhere sudo is worth a try', () => {
    const inside = explainUserNamespaces(true, evidence(allowed, { container: 'docker, by /.dockerenv' }))
    expect(inside).toMatchObject({ found: expect.stringContaining('docker'), sudo: false })
    expect(explainUserNamespaces(true, evidence({}))).toMatchObject({ sudo: true })
  })
})

describe('what follows for the chapters', () => {
  const fine = (id: string) => ({ id, title: id, ok: 'ok' as const, found: '' })
  const ids = ['kernel', 'user-namespaces', 'namespaces', 'disk', 'root', 'image-root', 'cgroups', 'overlay']

  test('what root could have is offered with sudo, with the number of the step', () => {
    const cgroups = {
      ...{ id: 'cgroups', title: 'control groups', ok: 'limited' as const, sudo: true },
      ...{ found: 'not delegated', fix: 'sudo ./minilab step 4' },
    }
    const judged = judge([...ids.filter(id => id !== 'cgroups').map(fine), cgroups])
    expect(verdicts({ chapters: judged })).toEqual(['ok', 'ok', 'ok', 'limited', 'ok', 'ok', 'limited'])
    expect(judged[6]).toMatchObject({
      reasons: ['control groups: not delegated'],
      fix: ['sudo ./minilab step 7'],
    })
  })

  test('what was not tried is no reason of its own', () => {
    const blocked = { id: 'disk', title: 'disk', ok: 'blocked' as const, found: 'full', fix: 'empty it' }
    const untried = {
      id: 'overlay',
      title: 'overlay',
      ok: 'blocked' as const,
      found: 'not tried',
      untried: true,
    }
    const judged = judge([...ids.filter(id => !['disk', 'overlay'].includes(id)).map(fine), blocked, untried])
    expect(judged[4]).toMatchObject({ verdict: 'blocked', reasons: ['disk: full'], fix: ['empty it'] })
  })
})

describe('the page', () => {
  test('--plain: every probe and chapter in a line, without escape sequences', async () => {
    const data = userData()
    const diagnosis = await doctor({ data })
    const { stdout, stderr, status } = await runMinilab(['doctor', '--plain'], { data })
    expect([stderr, status]).toEqual(['', diagnosis.status])
    expect(stdout).not.toContain('\x1b')
    const lines = stdout.split('\n')
    for (const { title, ok } of diagnosis.probes)
      expect(
        lines.filter(line => line.startsWith(`   ${{ ok: '✔', limited: '–', blocked: '✘' }[ok]}  ${title}`)),
      ).toHaveLength(1)
    for (const { step, name } of diagnosis.chapters)
      expect(lines.filter(line => line.includes(`step ${step}  ${name}`))).toHaveLength(1)
    expect(stdout).toMatch(/\n {3}Next: .*step 1/)
  })

  test('colours only on a terminal, and not with NO_COLOR or --plain', async () => {
    const diagnosis = await doctor({ data: userData() })
    const before = { isTTY: process.stdout.isTTY, noColor: process.env.NO_COLOR }
    try {
      delete process.env.NO_COLOR
      process.stdout.isTTY = true
      expect(page(diagnosis, false)).toContain('\x1b[')
      expect(page(diagnosis, true)).not.toContain('\x1b')
      process.env.NO_COLOR = '1'
      expect(page(diagnosis, false)).not.toContain('\x1b')
    } finally {
      process.stdout.isTTY = before.isTTY
      delete process.env.NO_COLOR
      if (before.noColor !== undefined) process.env.NO_COLOR = before.noColor
    }
  })
})
