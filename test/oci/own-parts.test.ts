// `--mine` by the command line, on bundles of our own: what an engine would see.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Spec } from '../../lib/container/spec.ts'
import { initWorkspace } from '../../lib/labs/workspace.ts'
import { mountinfo } from '../../lib/kernel/mount/mountinfo.ts'
import { prove, solution, solve } from '../labs/support.ts'
import { endContainers, lacking, makeFolder, makeRootfs, OURS, remove, removeCgroups } from './engines.ts'

const lacks = lacking('runc')
describe.skipIf(lacks)(`minilab-oci --mine${lacks}`, () => {
  const folder = makeFolder()
  const mine = join(folder, 'mine')
  const states = join(folder, 'states')
  const LAST = join(mine, '7-run.ts')
  let count = 0
  beforeAll(() => {
    makeRootfs(join(folder, 'rootfs'))
    solve(initWorkspace(mine).workspace)
    mkdirSync(states)
  })
  afterAll(() => remove(folder))
  afterEach(() => {
    expect(readdirSync(states)).toEqual([])
    expect(cgroups()).toBe('')
    writeFileSync(LAST, solution('7-run'))
    prove({ folder: mine })
  })

  const PARENT = `minilab-oci-mine-${process.pid}`
  const cgroups = () =>
    spawnSync('find', ['/sys/fs/cgroup', '-type', 'd', '-path', `*/${PARENT}/*`], { encoding: 'utf8' }).stdout
  afterAll(() => {
    endContainers(OURS, states)
    removeCgroups(PARENT)
  })

  function bundle(args: string[], change: (config: Spec) => void = () => {}): string {
    const path = join(folder, `bundle-${count++}`)
    mkdirSync(path)
    execFileSync('runc', ['spec', '--bundle', path])
    const config = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as Spec
    config.process.terminal = false
    config.process.args = args
    config.root.path = join(folder, 'rootfs')
    config.linux.cgroupsPath = `/${PARENT}/${count}`
    change(config)
    writeFileSync(join(path, 'config.json'), JSON.stringify(config))
    return path
  }

  const oci = (...args: string[]) => {
    const options = { encoding: 'utf8', timeout: 60_000 } as const
    const env = { PATH: process.env.PATH } // as an engine starts it: without HOME
    const ran = spawnSync(OURS, ['--root', states, ...args], { ...options, env })
    return { status: ran.status, stdout: ran.stdout, stderr: ran.stderr }
  }
  const ours = (...args: string[]) => oci('--mine', '--workspace', mine, ...args)
  const run = (path: string) => ours('run', '--bundle', path, 'a')
  /** A line more in the learner's hardening part, after its first line; the checks are said to hold. */
  const withLine = (line: string, after = 'inside(tape, { spec }) {\n') => {
    writeFileSync(LAST, solution('7-run').replace(after, `$&    ${line}\n`))
    prove({ folder: mine })
  }

  test('create, state, start, exec, delete', () => {
    const path = bundle(['sh', '-c', 'exec sleep 100'])
    const log = join(path, 'log')
    const args = ['--root', states, '--mine', '--workspace', mine, '--log', log, '--debug']
    const made = spawnSync(OURS, [...args, 'create', '--bundle', path, 'a'], { stdio: 'ignore' })
    expect([made.status, readFileSync(log, 'utf8')]).toEqual([0, expect.stringMatching(/pivot_root/)])
    const { status, pid } = JSON.parse(ours('state', 'a').stdout) as { status: string; pid: number }
    expect(status).toBe('created')
    // the host's device files, as lab 3 attaches them; ours makes new ones
    expect(mountinfo(pid).map(({ target }) => target)).toContain('/dev/null')
    expect(mountinfo(pid).find(({ target }) => target === '/dev/shm')?.type).toBe('tmpfs')
    expect(oci('start', 'a')).toEqual({ status: 0, stdout: '', stderr: '' }) // it needs no --mine
    expect(ours('exec', 'a', 'sh', '-c', 'echo $$; exit 3').status).toBe(3)
    expect(ours('create', '--bundle', path, 'a').stderr).toMatch(/container with given ID already exists/)
    expect(ours('delete', '--force', 'a').status).toBe(0)
  })

  test('--help lists it', () => {
    expect(oci('--help').stdout).toMatch(
      /--mine\n.*--workspace VALUE\n(.*\n)*.*--mine makes containers from the parts/,
    )
    expect(oci('create', '--help').stdout).toContain('--bundle VALUE, -b')
  })

  test('what it prints goes to the log, not to the container', () => {
    withLine("console.log('from my part')")
    const path = bundle(['echo', 'hi'])
    const ran = oci('--mine', '--workspace', mine, '--log', join(path, 'log'), 'run', '--bundle', path, 'a')
    expect(ran).toEqual({ status: 0, stdout: 'hi\n', stderr: '' })
    expect(readFileSync(join(path, 'log'), 'utf8')).toContain('level=warning msg="from my part"')
  })

  test.each([
    ['that throws', "throw new Error('not ' + 'today')", /7-run\.ts:\d+ \(.*\): .*“not today”/],
    [
      'refused',
      "tape.chdir('/nowhere')",
      /7-run\.ts:\d+ \(tape\.chdir\('\/nowhere'\)\): chdir\("\/nowhere"\): no such file/,
    ],
    ['that ends us', 'process.exit(0)', /your code ended minilab-oci/],
  ])('a part %s is one line, and leaves nothing', (_, line, says) => {
    withLine(line)
    const { status, stdout, stderr } = run(bundle(['true']))
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    const [said = '', ...more] = stderr.trim().split('\n')
    expect(said.replaceAll('\\"', '"')).toMatch(says)
    expect(more).toEqual([])
  })

  test('what a part mounts by mistake reaches no other process, and nothing is removed through it', () => {
    const precious = join(folder, 'precious')
    mkdirSync(precious)
    writeFileSync(join(precious, 'thesis'), 'all of it')
    const mount = `attach({ ledger }) { execFileSync('mount', ['--bind', '${precious}', '${states}/a']); throw new Error('oh') },`
    withLine(mount, "name: 'hardening',\n")
    writeFileSync(LAST, `import { execFileSync } from 'node:child_process'\n${readFileSync(LAST, 'utf8')}`)
    prove({ folder: mine })
    expect(run(bundle(['true'])).stderr).toContain('“oh”')
    expect(mountinfo().filter(({ target }) => target.startsWith(folder))).toEqual([])
    expect(readFileSync(join(precious, 'thesis'), 'utf8')).toBe('all of it')
  })

  test.each<[string, (config: Spec) => void, RegExp]>([
    [
      'propagation',
      ({ linux }) => (linux.rootfsPropagation = 'rshared'),
      /linux\.rootfsPropagation rshared: your parts cannot do that/,
    ],
    [
      'the mount namespace of the machine',
      ({ linux }) => (linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'mount')),
      /linux\.namespaces without a mount namespace: your parts cannot do that/,
    ],
  ])('%s is refused by name', (_, change, says) => {
    expect(run(bundle(['true'], change)).stderr).toMatch(says)
  })

  test('parts that have not passed their checks are not run; bad use is one line', () => {
    const trace = join(folder, 'trace')
    writeFileSync(
      LAST,
      solution('7-run').replace(
        'inside(tape, { spec }) {\n',
        `$&process.getBuiltinModule('fs').writeFileSync('${trace}', '')\n`,
      ),
    )
    expect(run(bundle(['true'])).stderr).toContain(
      '7-run.ts has not passed its checks as root since its last change: sudo minilab check 7',
    )
    expect(existsSync(trace)).toBe(false)
    expect(oci('--mine', '--workspace', folder, 'run', 'a').stderr).toContain('there is no workspace')
    expect(oci('--workspace', mine, 'run', 'a').stderr).toContain(
      '--workspace says where your parts are: add --mine',
    )
  })
})
