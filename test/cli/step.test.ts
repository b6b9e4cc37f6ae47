import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { cgroupMode, hierarchies } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { isRoot, runMinilab, userFolder, users, userData, thorough, few } from '../support/minilab.ts'

const lacks = (program: string) => spawnSync(program, ['--version']).error !== undefined

/** Mounts and rules of the machine: what no step may change. Links and cgroups of others come and go by their names. */
function machine(): unknown {
  const rules = isRoot && !lacks('nft') ? execFileSync('nft', ['list', 'ruleset'], { encoding: 'utf8' }) : ''
  const forwarding = readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8')
  const hostname = readFileSync('/proc/sys/kernel/hostname', 'utf8')
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8'),
    rules: rules.includes('minilab'),
    forwarding,
    hostname,
  }
}

describe.each(users)('step, as %s', user => {
  test('all --yes --json: seven documents, each ok, nothing left', async () => {
    const before = machine()
    const { status, stdout, json, stderr } = await runMinilab(['step', 'all', '--yes', '--json'], { user })
    expect(stderr).toBe('')
    expect(stdout.trimEnd().split('\n')).toHaveLength(7)
    for (const [i, report] of json().entries()) {
      expect(report).toMatchObject({
        step: i + 1,
        mode: user === 'root' ? 'root' : 'rootless',
        runtime: 'minilab',
        ok: true,
      })
      expect(report.host.left).toEqual([])
      expect(report.host.changed).not.toEqual([])
      expect(report.checks.filter(check => check.ok === false)).toEqual([])
      // what was not looked at says why; everything else shows what it read
      for (const check of report.checks)
        expect(
          check.limited === null ? check.evidence.length : check.limited.length,
          check.id,
        ).toBeGreaterThan(0)
      expect(report.tape.at(-1)).toMatchObject({ call: 'execve', errno: null })
    }
    expect(status).toBe(0)
    expect(machine()).toEqual(before)
  })

  test('--plain: no escape codes, and the width of the window does not matter', async () => {
    const run = (COLUMNS: string) =>
      runMinilab(['step', '3', '--plain'], { user, env: { COLUMNS, FORCE_COLOR: '1' } })
    const [narrow, wide] = await Promise.all([run('40'), run('200')])
    expect(narrow.stdout).not.toContain('\x1b')
    const widths = [narrow, wide].map(({ stdout }) =>
      Math.max(...stdout.split('\n').map(line => line.length)),
    )
    expect(widths[0]).toBeGreaterThan(60)
    expect(widths[0]! - widths[1]!).toBeLessThan(10)
  })

  test.each(['3', '7', ...thorough(['1', '2', '4', '5', '6'])])(
    '%s --dry-run prints the tape and makes nothing',
    async step => {
      const data = join(userFolder(user), 'none')
      const { stdout, status, stderr } = await runMinilab(['step', step, '--dry-run'], { user, data })
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(stdout).toMatch(/execve\("[^"]*\/sh", /)
      expect(existsSync(data)).toBe(false)
    },
  )

  test("-- CMD runs it in a container like the step's, and a missing one is 127", async () => {
    const ran = await runMinilab(['step', '3', '--yes', '--', 'sh', '-c', 'echo I am $$'], { user })
    expect(ran.stdout).toContain('I am 1\n')
    expect(ran.status).toBe(0)
    const missing = await runMinilab(['step', '3', '--yes', '--', 'nope'], { user })
    expect(missing.status).toBe(127)
    expect(missing.stderr).toMatch(/^minilab: there is no nope in the container: [^\n]+\n$/)
  })

  test.each(
    few(3, [
      [['stpe', '3'], 'did you mean step?'],
      [['step', '9'], 'there is no step "9"'],
      [['step', 'rot'], 'did you mean root?'],
      [['step', '3', '--jsno'], 'did you mean --json?'],
      [['step', '1', '2'], 'minilab step 1 -- 2'],
      [['step', '3', '--runtime', 'rnc'], 'runc'],
      [['step', '5', '--runtime', 'runc'], 'goes with steps 2, 3, 4, 7'],
    ]),
  )('%j: wrong use, one line', async (args, line) => {
    const { status, stdout, stderr } = await runMinilab(args, { user })
    expect(stderr).toMatch(/^minilab: [^\n]+\n$/)
    expect(stderr).toContain(line)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  })
})

test.each(['SIGTERM', 'SIGINT', 'SIGPIPE'] as const)(
  '%s in the middle: everything is taken back',
  async signal => {
    const data = userData()
    const entry = join(import.meta.dirname, '../../bin.mjs')
    const child = spawn(process.execPath, [entry, 'step', '4', '--yes'], {
      env: { ...process.env, MINILAB_DATA: data },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const errors = text(child.stderr)
    const ended = once(child, 'exit')
    for await (const chunk of child.stdout) {
      if (!String(chunk).includes('we made a child')) continue
      // leaving the loop closes our end of the pipe, and that is a SIGPIPE; the others shall find it open
      if (signal === 'SIGPIPE') break
      child.kill(signal)
    }
    expect(await ended).toEqual([128 + constants.signals[signal], null])
    expect(await errors).toBe('')
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
  },
)

describe.runIf(isRoot)('step, as root', () => {
  test.each(thorough(['all']))('%s --rootless does the same in a user namespace', async () => {
    const { status, json } = await runMinilab(['step', 'all', '--yes', '--json', '--rootless'], {
      user: 'root',
    })
    expect(json().map(({ mode, ok, host }) => [mode, ok, host.left])).toEqual(
      Array(7).fill(['rootless', true, []]),
    )
    expect(status).toBe(0)
  })

  test.each(['3', '7', ...thorough(['2', '4'])])(
    'step %s on a container of a runtime that is named by its path',
    async step => {
      const path = join(import.meta.dirname, '../../minilab-oci')
      const { status, json, stderr } = await runMinilab(
        ['step', step, '--yes', '--json', '--runtime', path],
        { user: 'root' },
      )
      expect(stderr).toBe('')
      const [report] = json()
      expect(report).toMatchObject({ runtime: path, ok: true, host: { left: [] } })
      expect(report!.checks.filter(check => check.ok !== true)).toEqual([])
      expect(status).toBe(0)
    },
  )

  test.skipIf(lacks('runc')).each(['3', ...thorough(['2', '4', '7'])])(
    'step %s on a container that runc made',
    async step => {
      const { status, json, stderr } = await runMinilab(
        ['step', step, '--yes', '--json', '--runtime', 'runc'],
        { user: 'root' },
      )
      expect(stderr).toBe('')
      const [report] = json()
      expect(report).toMatchObject({ runtime: 'runc', ok: true, host: { left: [] } })
      // the only thing that Debian's runc lacks is a time namespace
      expect(report!.checks.filter(check => check.ok !== true).map(({ id }) => id)).toEqual(
        { '2': ['own-time', 'uptime'], '7': ['namespaces'] }[step] ?? [],
      )
      expect(status).toBe(0)
    },
  )

  test.skipIf(lacks('runc')).each(['2', '3', '5'])(
    'step %s --spec is a config.json that runc runs',
    async step => {
      const data = userData('root')
      const { stdout } = await runMinilab(['step', step, '--spec'], { user: 'root', data })
      const spec = JSON.parse(stdout) as { process: { args: string[] }; root: { path: string } }
      spec.process.args = ['sh', '-c', 'echo hello from $$; exit 9']
      const bundle = join(data, 'bundle')
      mkdirSync(bundle)
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec))
      const id = `spec-${process.pid}`
      const ran = spawnSync('runc', ['--root', join(data, 'runc'), 'run', '--bundle', bundle, id], {
        encoding: 'utf8',
      })
      expect({ status: ran.status, stdout: ran.stdout, stderr: ran.stderr }).toEqual({
        status: 9,
        stdout: 'hello from 1\n',
        stderr: '',
      })
    },
  )
})

test("this machine's cgroups are left as they were", async () => {
  expect(cgroupMode()).not.toBe('none')
  const ours = () =>
    hierarchies().flatMap(({ mount }) =>
      existsSync(join(mount, 'minilab')) ? readdirSync(join(mount, 'minilab')) : [],
    )
  const { json } = await runMinilab(['step', '4', '--yes', '--json'])
  const ids = json().flatMap(({ host }) =>
    host.changed.filter(line => line.includes('cgroup /')).map(line => line.split('/').at(-1)),
  )
  expect(ours().filter(name => ids.includes(name))).toEqual([])
})

test('without root a user namespace is named only where the step has one', async () => {
  const head = async (step: string) => {
    const { stdout } = await runMinilab(['step', step, '--yes', '--plain', '--rootless'])
    return stdout.split('\n')[2]
  }
  expect([await head('1'), await head('2')]).toEqual([' without root', ' without root, in a user namespace'])
})
