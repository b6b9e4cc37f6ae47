import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Spec } from '../../lib/container/spec.ts'
import {
  isRoot,
  type Ran,
  runMinilab,
  userFolder,
  users,
  userData,
  thorough,
  few,
} from '../support/minilab.ts'

const runs = (command: string, ...args: string[]) => spawnSync(command, args).status === 0
const noRunc = runs('runc', '--version')
  ? isRoot
    ? ''
    : ' (only as root)'
  : ' (no runc: apt-get install runc)'
const noScript = runs('script', '--version') ? '' : ' (no script(1): apt-get install bsdutils)'

/** One line on stderr, none on stdout. */
function expectLine(ran: Ran, status: number, line: RegExp) {
  expect(ran).toMatchObject({ status, stdout: '' })
  expect(ran.stderr).toMatch(/^minilab: [^\n]+\n$/)
  expect(ran.stderr).toMatch(line)
}

describe.each(users)('as %s', user => {
  test('--json has exactly what is promised', async () => {
    const [report] = (await runMinilab(['step', '1', '--json'], { user })).json()
    expect(report).toEqual({
      step: 1,
      title: expect.any(String),
      mode: user === 'root' ? 'root' : 'rootless',
      runtime: 'minilab',
      ok: true,
      ms: expect.any(Number),
      tape: expect.any(Array),
      checks: expect.any(Array),
      host: { changed: expect.any(Array), left: expect.any(Array) },
      launches: expect.any(Array),
      limited: [],
      predictions: [],
    })
    for (const { tape } of [report!, ...report!.launches])
      for (const entry of tape)
        expect(entry).toEqual({
          call: expect.stringMatching(/^\w+$/),
          args: expect.any(String),
          result: entry.result === null ? null : expect.any(Number),
          errno: entry.errno === null ? null : expect.stringMatching(/^E[A-Z0-9]+$/),
          start: entry.start === null ? null : expect.any(Number),
          ns: expect.any(Number),
        })
    for (const check of report!.checks) {
      expect(check).toEqual({
        id: expect.stringMatching(/^[a-z-]+$/),
        claim: expect.any(String),
        ok: true,
        limited: null,
        evidence: expect.any(Array),
        diagnosis: null,
      })
      expect(check.evidence.length).toBeGreaterThan(0)
    }
  })

  test('--plain has no escape sequences, --json nor any other text', async () => {
    const { status, stdout, stderr } = await runMinilab(['step', '1', '--yes', '--plain'], { user })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f]/) // eslint-disable-line no-control-regex
    expect(stdout).toContain('✔ 9 checks hold  nothing left on the host')
  })

  test('a command after -- gets our stdin, stdout and stderr, and its status is told', async () => {
    const command = ['/bin/sh', '-c', 'echo out; echo err >&2; exit 7']
    const ran = await runMinilab(['step', '3', '--yes', '--plain', '--', ...command], { user })
    expect(ran.status, ran.stdout).toBe(0)
    expect(ran.stdout).toMatch(/^out\n +exit status 7$/m)
    expect(ran.stderr).toBe('err\n')
  })

  test('the same command with --json leaves stdout to the document', async () => {
    const ran = await runMinilab(['step', '2', '--json', '--', '/bin/sh', '-c', 'echo out'], { user })
    expect(ran.stderr).toBe('out\n')
    expect(ran.json()).toHaveLength(1)
  })

  test.each(
    few(2, [
      ['/minilab/missing', 127, /there is no \/minilab\/missing in the container/],
      ['minilab-missing', 127, /there is no minilab-missing in the container: look in \/bin/],
      ['/etc', 126, /\/etc cannot be executed in the container \(EACCES\)/],
      ['/etc/passwd', 126, /\/etc\/passwd cannot be executed in the container \(EACCES\): .*chmod \+x/],
    ]),
  )('a command that cannot be started: %s gives %i', async (command, status, line) => {
    const data = userData(user)
    const ran = await runMinilab(['step', '3', '--yes', '--json', '--', command], { user, data })
    expectLine(ran, status, line)
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
    expect(readdirSync(join(data, 'containers'))).toEqual([])
  })
})

describe.each(users)('without making anything, as %s', user => {
  const absent = () => join(userFolder(user), 'absent')

  test.each(['3', ...thorough(['5'])])(
    'step %s --dry-run prints the calls that the step makes',
    async step => {
      const data = absent()
      const dry = await runMinilab(['step', step, '--dry-run'], { user, data })
      expect(dry).toMatchObject({ status: 0, stderr: '' })
      const printed = dry.stdout.trimEnd().split('\n')
      for (const line of printed) expect(line).toMatch(/^\w+\(.*\)$/)
      expect(existsSync(data)).toBe(false)

      const [report] = (await runMinilab(['step', step, '--yes', '--json'], { user })).json()
      const calls = printed.map(line => line.slice(0, line.indexOf('(')))
      // behind setsid and umask three put stdin, stdout and stderr in place: ours in a dry run, else the pipes to the step's shell
      expect(calls.slice(5)).toEqual(report!.tape.map(({ call }) => call).slice(5))
    },
  )

  test.each(['3', ...thorough(['2', '4'])])(
    'step %s --spec prints a config.json whose root is there',
    async step => {
      const ran = await runMinilab(['step', step, '--spec', '--runtime', 'runc'], { user })
      expect(ran).toMatchObject({ status: 0, stderr: '' })
      const spec = JSON.parse(ran.stdout) as Spec
      expect(spec).toMatchObject({
        ociVersion: expect.stringMatching(/^1\./),
        process: { args: ['/bin/sh'], cwd: '/' },
        root: { path: expect.any(String) },
        linux: { namespaces: expect.arrayContaining([{ type: 'pid' }, { type: 'mount' }]) },
      })
      expect(readdirSync(spec.root.path)).toContain('bin')
    },
  )

  test.each(
    few(3, [
      [['step', '0'], /there is no step "0": the steps are 1 cli, 2 namespaces, .*7 run, or all$/m],
      [['step', '-1'], /there is no step "-1"/],
      [['step', '1e0'], /there is no step "1e0"/],
      [['step', 'layer'], /did you mean layers\?/],
      [['step', '3', '--pain'], /unknown option '--pain': did you mean --plain\?/],
      [['step', '3', '--runtime', 'runcc'], /--runtime: there is no program runcc here: did you mean runc\?/],
      [['step', '3', '--runtime'], /argument missing/],
      [['step', '1', '--runtime', 'runc'], /--runtime runc goes with steps 2, 3, 4, 7/],
      [['--bogus'], /unknown option '--bogus'/],
    ]),
  )('wrong use: %j', async (args, line) => {
    const data = absent()
    expectLine(await runMinilab(args, { user, data }), 2, line)
    expect(existsSync(data)).toBe(false)
  })
})

test.skipIf(noScript)(`--plain does not depend on the window${noScript}`, () => {
  const data = userData()
  const shown = (columns: number) => {
    const step = `'${process.execPath}' '${join(import.meta.dirname, '../../bin.mjs')}' step 1 --yes --plain`
    const output = execFileSync('script', ['-qec', `stty cols ${columns}; ${step}`, '/dev/null'], {
      encoding: 'utf8',
      env: { ...process.env, MINILAB_DATA: data, TERM: 'xterm-256color', COLUMNS: String(columns) },
    })
    expect(output).not.toContain('\x1b')
    return output.split('\r\n')
  }
  const [narrow, wide] = [shown(30), shown(200)]
  const widths = (lines: string[]) => Math.max(...lines.map(line => line.length))
  expect(widths(narrow)).toBe(widths(wide))
  // what has no numbers in it is the same, to the last blank
  const constant = (lines: string[]) => lines.filter(line => /^ {6}[^│├]*$/.test(line) && !/\d/.test(line))
  expect(constant(narrow)).toEqual(constant(wide))
  expect(constant(narrow).length).toBeGreaterThan(10)
})

describe.skipIf(noRunc)(`--spec for runc${noRunc}`, () => {
  test.each(['2', ...thorough(['3 --rootless'])])('step %s: runc runs it', async words => {
    const data = userData()
    const args = ['step', ...words.split(' ')]
    const ran = await runMinilab([...args, '--spec', '--runtime', 'runc'], { data })
    const spec = JSON.parse(ran.stdout) as Spec
    const name = `minilab-test-${process.pid}-${words.replace(/\W+/, '')}`
    spec.process.args = ['/bin/sh', '-c', 'test $$ = 1 && test "$(uname -n)" = minilab && exit 42']
    spec.linux.cgroupsPath = `/${name}` // which runc removes whole
    const bundle = join(data, 'bundle')
    mkdirSync(bundle)
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec))
    const runc = spawnSync('runc', ['--root', join(data, 'state'), 'run', '--bundle', bundle, name])
    expect([runc.stderr.toString(), runc.status]).toEqual(['', 42])
  })
})
