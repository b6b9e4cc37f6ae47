import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Cgroup } from '../../lib/kernel/cgroup/cgroup.ts'
import { capabilityMask, defaultCapabilities } from '../../lib/kernel/process/capabilities.ts'
import { planCgroup } from '../../lib/kernel/cgroup/make-cgroup.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { exercises } from '../../lib/cli/exercises.ts'
import { changeProgress } from '../../lib/labs/progress.ts'
import { contentOf, isProven, noteProven } from '../../lib/labs/proven.ts'
import type { State } from '../../lib/container/state/state-shape.ts'
import {
  isAlive,
  type Namespace,
  namespaceInode,
  nsPids,
  processExists,
  status,
} from '../../lib/kernel/process/procfs.ts'
import { freePort } from '../support/free-port.ts'
import { isRoot, modesOf, self, thorough, userFolder, type UserName } from '../support/minilab.ts'
import { noTmux, Terminal } from '../support/terminal.ts'
import { type Learner, newLearner, solution, solve } from './support.ts'

const LAST = '7-run.ts'
const ENTRY = join(import.meta.dirname, '../../bin.mjs')

/** Who may have written all seven parts, and how they run them. */
const modes: [mode: string, user: UserName, flags: string[]][] = [
  ...(isRoot
    ? ([
        ['root', 'root', []],
        ['root --rootless', 'root', ['--rootless']],
      ] as [string, UserName, string[]][])
    : []),
  ['an ordinary user', 'ordinary', []],
]

/** A learner who has written all seven parts as the reference does it, and whose checks have passed. */
async function solved(user: UserName): Promise<Learner> {
  const learner = await newLearner(user)
  solve(learner)
  return learner
}

/** What containers have left in the data folder. */
const left = ({ data }: Learner) =>
  ['containers', 'ledger', 'logs'].flatMap(name => {
    const folder = join(data, name)
    return existsSync(folder) ? readdirSync(folder).map(file => join(name, file)) : []
  })

/** What `--unsafe` says first, in a line. */
const UNCHECKED = /^minilab: --unsafe runs your parts without their checks: .* this machine's own root,.*\n/
const afterWarning = (stderr: string) => {
  expect(stderr).toMatch(UNCHECKED)
  return stderr.replace(UNCHECKED, '')
}

const PART = "  name: 'hardening',\n"
const INSIDE = '  inside(tape, { spec }) {\n'

/** The reference's last file with some code after one of its lines, and what that needs imported. */
const withCode = (after: string, code: string, imports = '') =>
  imports + solution('7-run').replace(after, `${after}    ${code}\n`)

describe.each(modesOf(modes))('run --mine as %s', (_, user, flags) => {
  test("starts an image with all seven of the learner's parts, and hands on the exit status", async () => {
    const learner = await solved(user)
    const release = await learner.run([
      'run',
      '--mine',
      ...flags,
      '--rm',
      'default',
      'cat',
      '/etc/os-release',
    ])
    expect(release).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringContaining('ID=minilab') as string,
    })
    const script = 'echo $$ $(id -u) $A $(pwd) $(hostname) $(readlink /proc/self/fd/0); exit 7'
    const more = ['-e', 'A=b', '-w', '/tmp', '--hostname', 'box', '--network', 'none']
    const ran = await learner.run(['run', '--mine', ...flags, '--rm', ...more, 'default', 'sh', '-c', script])
    expect(ran).toMatchObject({ status: 7, stdout: '1 0 b /tmp box /dev/null\n', stderr: '' })
    expect(left(learner)).toEqual([])
  })

  test('is contained, as the kernel shows it; exec, logs, kill and rm work', async () => {
    const learner = await solved(user)
    const shell = ['sh', '-c', 'echo here; exec sleep 1000']
    const started = await learner.run(['run', '--mine', ...flags, '-d', '--name', 'own', 'default', ...shell])
    expect(started).toMatchObject({ status: 0, stderr: '' })
    const id = started.stdout.trim()
    const listed = await learner.run(['ps', '--json'])
    const [{ pid }] = JSON.parse(listed.stdout) as [{ pid: number }]

    const kinds: Namespace[] = ['user', 'pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup']
    for (const kind of kinds)
      expect([kind, namespaceInode(pid, kind)]).not.toEqual([kind, namespaceInode('self', kind)])
    expect(nsPids(pid).at(-1)).toBe(1)
    const mounts = mountinfo(pid)
    expect(mounts.find(({ target }) => target === '/')?.type).toBe('overlay')
    const devices = new Set(mountinfo().map(({ device }) => device))
    const shared = mounts.filter(
      ({ device, target }) =>
        devices.has(device) && !/^\/((dev|sys|proc)\b|etc\/(hosts|hostname|resolv\.conf)$)/.test(target),
    )
    expect(shared).toEqual([]) // of the host's file systems nothing but devices, what covers, and three files of its own
    const mask = capabilityMask(defaultCapabilities).toString(16).padStart(16, '0')
    expect(status(pid)).toMatchObject({ Seccomp: '2', NoNewPrivs: '1', CapEff: mask, CapBnd: mask })
    const cgroups = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    if (user === 'root' && planCgroup('/minilab/x', ['memory']) instanceof Cgroup)
      expect(cgroups).toContain(id)

    const joined = await learner.run([
      'exec',
      'own',
      'sh',
      '-c',
      'cat /proc/1/comm; ls /sys/class/net; exit 3',
    ])
    expect(joined).toMatchObject({ status: 3, stdout: 'sleep\neth0\nlo\n' })
    expect((await learner.run(['logs', 'own'])).stdout).toBe('here\n')
    expect((await learner.run(['kill', 'own'])).status).toBe(0)
    expect((await learner.run(['rm', '-f', 'own'])).status).toBe(0)
    expect(processExists(pid)).toBe(false)
    expect(left(learner)).toEqual([])
  })

  test('volumes, and a root that is read-only', async () => {
    const learner = await solved(user)
    const volume = userFolder(user)
    const script = '(echo x > /data/here/f) 2>&1; (echo y > /ro/g) 2>&1; (echo z > /h) 2>&1; true'
    const volumes = ['-v', `${volume}:/data/here`, '-v', `${volume}:/ro:ro`, '--read-only']
    const ran = await learner.run([
      'run',
      '--mine',
      ...flags,
      '--rm',
      ...volumes,
      'default',
      'sh',
      '-c',
      script,
    ])
    expect(ran.stdout.match(/Read-only file system/g)).toHaveLength(2)
    expect(readdirSync(volume)).toEqual(['f'])
  })

  test.each([
    ['prepare', PART, "prepare() { throw new Error('not today') },"],
    ['attach', PART, "attach({ network }) { console.log(network?.hostLink); throw new Error('not today') },"],
    ['inside', INSIDE, "throw new Error('not today')"],
    ['a refused call', INSIDE, "tape.chdir('/nowhere') // not today"],
  ])('a part that fails in %s is said with its line, and leaves nothing', async (_hook, after, code) => {
    const learner = await solved(user)
    learner.write(LAST, withCode(after, code))
    const ran = await learner.run(['run', '--mine', '--unsafe', ...flags, 'default', 'true'])
    expect(ran.status).toBe(125)
    expect(afterWarning(ran.stderr)).toMatch(/^minilab: 7-run\.ts:\d+ \(.*not today.*\): .*\n$/)
    expect(left(learner)).toEqual([])
    const link = ran.stdout.trim()
    if (link) expect(spawnSync('ip', ['link', 'show', link]).status).not.toBe(0)
  })

  test('in the background a monitor stays and no process of Node; mounts by mistake do not hide minilab from it', async () => {
    const learner = await solved(user)
    const mistake = `attach() {
      console.log('said by a part')
      execFileSync('mount', ['--bind', '/dev/null', '${ENTRY}'])
    },`
    learner.write(LAST, withCode(PART, mistake, "import { execFileSync } from 'node:child_process'\n"))
    const port = await freePort()
    const words = ['-d', '--name', 'own', '-p', `${port}:80`, 'default', 'sleep', '1000']
    const started = await learner.run(['run', '--mine', '--unsafe', ...flags, ...words])
    expect(started.stdout).toMatch(/^[0-9a-f]{12}\n$/)
    expect(afterWarning(started.stderr)).toBe('said by a part\n')
    const file = join(learner.data, 'containers', started.stdout.trim(), 'state.json')
    const { keeper, pumps, forwarders } = JSON.parse(readFileSync(file, 'utf8')) as State
    const names = [keeper, ...Object.values(pumps!), ...forwarders!].map(({ pid }) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').replace('\0', ''),
    )
    expect(names).toEqual(['minilab-monitor', 'minilab-log', 'minilab-log', 'minilab-forwarder'])
    expect((await learner.run(['kill', 'own'])).status).toBe(0)
    await expect.poll(() => isAlive(keeper.pid, keeper.started)).toBe(false)
    expect(readdirSync(join(learner.data, 'ledger'))).toEqual([])
    expect((await learner.run(['ps', '-a'])).stdout).toContain('exited (137)')
    expect((await learner.run(['rm', 'own'])).status).toBe(0)
    expect(left(learner)).toEqual([])
  })

  test('what a part mounts by mistake reaches nobody, and nothing is removed through it', async () => {
    const learner = await solved(user)
    const precious = userFolder(user)
    writeFileSync(join(precious, 'thesis'), 'all of it')
    const mistake = `attach({ rootfs }) {
      execFileSync('mount', ['--bind', '${precious}', rootfs])
      throw new Error(existsSync(rootfs + '/thesis') ? 'mounted' : 'not mounted')
    },`
    const imports =
      "import { execFileSync } from 'node:child_process'\nimport { existsSync } from 'node:fs'\n"
    learner.write(LAST, withCode(PART, mistake, imports))
    const ran = await learner.run(['run', '--mine', '--unsafe', ...flags, '--rm', 'default', 'true'])
    expect(ran.stderr).toContain('your own code threw an error here, “mounted”')
    expect(mountinfo().filter(({ target }) => target.startsWith(learner.data))).toEqual([])
    expect(readFileSync(join(precious, 'thesis'), 'utf8')).toBe('all of it')
    expect(left(learner)).toEqual([])
  })
})

describe('parts that their checks refuse', () => {
  const rootless = (learner: Learner) =>
    readFileSync(join(learner.folder, LAST), 'utf8').replace(/^  root,.*\n/m, '')

  test("are not run for real: without `root` a container would be on the host's root", async () => {
    const learner = await solved(self)
    learner.write(LAST, rootless(learner))
    const trace = join(userFolder(self), 'trace')
    const words = ['--rm', '--network', 'none', 'default', 'touch', trace]
    const ran = await learner.run(['run', '--mine', ...words])
    expect(ran).toMatchObject({ status: 125, stdout: '' })
    expect(ran.stderr).toMatch(
      /has not been checked since its last change: checking lab 7\nminilab: lab 7 does not pass, .*`parts` has no root: .*--unsafe.*\n$/,
    )
    expect(existsSync(trace)).toBe(false)
    expect(left(learner)).toEqual([])
    expect(ran.stderr).not.toMatch(UNCHECKED)
    const unsafe = await learner.run(['run', '--mine', '--unsafe', ...words])
    expect([unsafe.status, afterWarning(unsafe.stderr)]).toEqual([0, ''])
    expect(existsSync(trace)).toBe(true)
  })

  test('what was proven as root is not proven rootless, where other things are looked at', async () => {
    const learner = await newLearner()
    const lab = exercises[2]!
    learner.write('3-root.ts', solution('3-root'))
    const noted = changeProgress(learner, progress =>
      noteProven(progress, lab, contentOf(learner, lab), { rootless: false }),
    )
    expect(isProven(noted, learner, lab, { rootless: false })).toBe(true)
    expect(isProven(noted, learner, lab, { rootless: true })).toBe(false)
  })

  test('a file that has changed is checked, once; one that is missing is named', async () => {
    const learner = await solved(self)
    learner.write('4-limits.ts', solution('4-limits') + '// another line\n')
    const words = ['run', '--mine', '--rm', '--network', 'none', 'default', 'true']
    const first = await learner.run(words)
    expect(first).toMatchObject({
      status: 0,
      stderr: expect.stringMatching(
        /4-limits\.ts has not been checked since its last change: checking lab 4\n$/,
      ) as string,
    })
    expect(await learner.run(words)).toMatchObject({ status: 0, stderr: '' })
    rmSync(join(learner.folder, '4-limits.ts'))
    const ran = await learner.run(words)
    expect(ran).toMatchObject({
      status: 125,
      stderr: `minilab: ${learner.folder}/4-limits.ts is missing: minilab lab 4 makes it\n`,
    })
  })

  test.each(thorough(['prepare', 'attach']))(
    '%s that awaits what never happens ends with a message',
    async hook => {
      const learner = await solved(self)
      learner.write(LAST, withCode(PART, `${hook}: () => new Promise<void>(() => {}),`))
      const ran = await learner.run([
        'run',
        '--mine',
        '--unsafe',
        '--rm',
        '--network',
        'none',
        'default',
        'true',
      ])
      expect(ran).toMatchObject({ status: 125, stdout: '' })
      expect(afterWarning(ran.stderr)).toMatch(
        new RegExp(`^minilab: ${hook} of hardening has not come to an end after 10 s: .*\\n$`),
      )
      expect(left(learner)).toEqual([])
    },
  )
})

test.skipIf(noTmux)(`a terminal of its own, by the learner's parts${noTmux}`, async () => {
  const learner = await solved(isRoot ? 'root' : 'ordinary')
  const terminal = new Terminal({ MINILAB_DATA: learner.data, MINILAB_WORKSPACE: learner.folder })
  terminal.minilab('run --mine --rm -it default sh')
  await terminal.shows(/[#$] $/m)
  terminal.type('tty; exit 5')
  await terminal.shows('/dev/pts/0')
  await terminal.shows(/ready>\s*$/) // the prompt at the end: keys that come while the container still ends are its
  terminal.type('echo status=$?')
  await terminal.shows('status=5')
  expect(left(learner)).toEqual([])
})

describe('what cannot be run is said in a line', () => {
  test.each([
    ['no workspace', () => {}, { MINILAB_WORKSPACE: '/nowhere' }, 'there is no workspace'],
    ['no last file', ({ write }: Learner) => write('7-run.ts', ''), {}, '7-run.ts exports no parts'],
    [
      'a syntax error',
      ({ write }: Learner) => write('3-root.ts', 'const = 3\n'),
      {},
      '3-root.ts:1 (const = 3)',
    ],
    [
      'a throw',
      ({ write }: Learner) => write('4-limits.ts', "export const limits = {}\nthrow new Error('later')\n"),
      {},
      "4-limits.ts:2 (throw new Error('later')): it cannot be loaded: your own code threw an error here, “later”",
    ],
    [
      'no part',
      ({ write }: Learner) => write('7-run.ts', 'export const parts = [1], hardening = {}\n'),
      {},
      'parts[0] is no part',
    ],
  ])('%s', async (_, change, env, words) => {
    const learner = await solved(isRoot ? 'root' : 'ordinary')
    change(learner)
    const command = ['run', '--mine', '--unsafe', '--rm', 'default', 'true']
    const ran = await learner.run(command, env as NodeJS.ProcessEnv)
    expect(ran.status).toBe(125)
    expect(ran.stderr).toContain(words)
    expect(afterWarning(ran.stderr).trim().split('\n')).toHaveLength(1)
    expect(left(learner)).toEqual([])
  })
})
