// `minilab class pack`: an archive that installs where there is no network, no npm and no Node.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, watch } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import type { Image } from '../../lib/image/image.ts'
import type { PackedImage } from '../../lib/image/packed.ts'
import { removeTree } from '../../lib/image/tree.ts'
import type { Report } from '../../lib/guide/step.ts'
import {
  isRoot,
  makeUserFolder,
  ORDINARY,
  runMinilab,
  userFolder,
  type UserName,
  users,
  self,
} from '../support/minilab.ts'

const work = makeUserFolder(self)
const ROOT = join(import.meta.dirname, '../..')
const archive = join(work, 'class.tar.gz')
const FOLDER = `minilab-${manifest.version}`

/** A machine's programs, but for Node and npm. */
const bin = join(work, 'bin')

const needsRoot = isRoot ? '' : ' (needs root)'

let says = ''
beforeAll(async () => {
  mkdirSync(bin)
  for (const folder of ['/usr/sbin', '/usr/bin'])
    for (const name of readdirSync(folder))
      if (!/^(node|nodejs|npm|npx|corepack)$/.test(name) && !existsSync(join(bin, name)))
        symlinkSync(join(folder, name), join(bin, name))
  const { status, stdout, stderr } = await runMinilab(['class', 'pack', archive], {
    data: join(work, 'data'),
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  chmodSync(archive, 0o644)
  says = stdout
})
afterAll(() => removeTree(work))

/** In a network namespace in which nothing is up, as this user. */
function offline(user: UserName): string[] {
  if (!isRoot) return ['unshare', '--user', '--map-current-user', '--net']
  const ids = ['--reuid', `${ORDINARY.uid}`, '--regid', `${ORDINARY.gid}`, '--clear-groups']
  return ['unshare', '--net', ...(user === 'ordinary' ? ['setpriv', ...ids] : [])]
}

/** Runs a command line as a user of a machine without network, npm and Node. */
function run(user: UserName, cwd: string, commandLine: string) {
  const [command = '', ...args] = [...offline(user), 'sh', '-c', commandLine]
  const env = { PATH: bin, HOME: cwd, MINILAB_DATA: join(cwd, 'data'), LANG: 'C.UTF-8' }
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  })
  return { status, stdout, stderr }
}

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')
const parsed = <T>(path: string) => JSON.parse(readFileSync(path, 'utf8')) as T

test("what is in it: what a learner needs, all root's, at one time, and the sign that all is there last", () => {
  expect(says).toContain(`tar -xf ${archive} && cd ${FOLDER} && ./minilab step 1`)
  expect(readdirSync(work).toSorted()).toEqual(['bin', 'class.tar.gz', 'data'])
  expect(readdirSync(join(work, 'data/tmp'))).toEqual([])

  const lines = execFileSync('tar', ['-tvzf', archive], {
    encoding: 'utf8',
    env: { TZ: 'UTC', PATH: process.env.PATH },
  })
    .trimEnd()
    .split('\n')
    .map(line => /^(\S+) (\S+) +\d+ (\S+ \S+) (.*?)( -> .*)?$/.exec(line)!.slice(1))
  expect(new Set(lines.map(([, owner]) => owner))).toEqual(new Set(['0/0']))
  expect(new Set(lines.map(([, , time]) => time)).size).toBe(1)
  const names = lines.map(([, , , name = '']) => name.replace(/\/$/, ''))
  expect(names.every(name => name === FOLDER || name.startsWith(`${FOLDER}/`))).toBe(true)
  expect(names.at(-1)).toBe(`${FOLDER}/node_modules/.package-lock.json`)
  expect(names.slice(0, -1)).toEqual(names.slice(0, -1).toSorted())
  for (const name of [
    'minilab',
    'lib/cli/main.ts',
    'chapters/1-cli/step.ts',
    'labs/3-root/start.ts',
    'image/default.tar',
    // what npm installs at the top, too
    ...manifest.files.filter(name => existsSync(join(ROOT, name)) && !/^dist$|[/*]/.test(name)),
  ])
    expect(names).toContain(`${FOLDER}/${name}`)
  // no tests, nothing that only development needs, nobody's own work
  expect(
    names.filter(name => /^[^/]+\/(test|mine|\.git|node_modules\/(vitest|\.cache))(\/|$)/.test(name)),
  ).toEqual([])
})

describe.each(users)('unpacked as %s, with no network, no npm and no Node', user => {
  const [word = '', ...rest] = [...offline(user), 'true']
  const refused = spawnSync(word, rest, { encoding: 'utf8' })
  const cwd = makeUserFolder(user)
  afterAll(() => removeTree(cwd))
  const kit = join(cwd, FOLDER)

  test('it works, with the image that it brought', context => {
    context.skip(refused.status !== 0, `no network namespace: ${refused.stderr}`)
    expect(run(user, cwd, 'command -v node || command -v npm').stdout).toBe('')
    expect(run(user, cwd, 'tail -n +3 /proc/net/dev | cut -d: -f1').stdout.trim()).toBe('lo')
    expect(run(user, cwd, `tar -xf ${archive}`)).toMatchObject({ status: 0, stderr: '' })

    const version = run(user, cwd, `./${FOLDER}/minilab --version`)
    expect(version).toEqual({ status: 0, stdout: `${manifest.version}\n`, stderr: '' })
    const runtime = run(user, cwd, `./${FOLDER}/minilab-oci --version`)
    expect(runtime).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(manifest.version),
      stderr: '',
    })
    const step = run(user, cwd, `./${FOLDER}/minilab step 3 --yes --json`)
    expect({ status: step.status, stderr: step.stderr }).toEqual({ status: 0, stderr: '' })
    expect((JSON.parse(step.stdout) as Report).ok).toBe(true)

    const lab = run(user, kit, './minilab lab 3 --plain && ./minilab report --json')
    expect({ status: lab.status, stderr: lab.stderr }).toEqual({ status: 0, stderr: '' })
    expect(lab.stdout).toContain('"kind": "minilab report"')
    expect(readdirSync(join(kit, 'mine'))).toContain('3-root.ts')

    const { diffId } = parsed<PackedImage>(join(kit, 'image/default.json'))
    expect(diffId).toBe(`sha256:${sha256(join(kit, 'image/default.tar'))}`)
    expect(parsed<Image>(join(cwd, 'data/images/default/image.json')).layers).toEqual([diffId])
  })

  if (user !== 'ordinary') return

  test('it makes the same archive again, byte for byte', context => {
    context.skip(refused.status !== 0, `no network namespace: ${refused.stderr}`)
    expect(run(user, cwd, `./${FOLDER}/minilab class pack again.tar.gz`)).toMatchObject({
      status: 0,
      stderr: '',
    })
    expect(sha256(join(cwd, 'again.tar.gz'))).toBe(sha256(archive))
  })

  test.skipIf(!isRoot)(`under sudo too, and its files stay the user's${needsRoot}`, () => {
    const sudo = `SUDO_UID=${ORDINARY.uid} SUDO_GID=${ORDINARY.gid} MINILAB_DATA=${userFolder('root')}`
    const { status, stderr } = run('root', kit, `${sudo} ./minilab step 1 --yes --json`)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(execFileSync('find', [cwd, '-user', 'root'], { encoding: 'utf8' })).toBe('')
  })
})

test('a folder that is not there: one line, and nothing left', async () => {
  const folder = userFolder()
  const { status, stderr } = await runMinilab(['class', 'pack', join(folder, 'none/class.tar.gz')])
  expect(status).toBe(2)
  expect(stderr).toMatch(/^minilab: cannot write .*class\.tar\.gz.*\n$/)
  expect(readdirSync(folder)).toEqual([])
})

test.skipIf(!isRoot)(`a full disk: one line, and nothing left${needsRoot}`, () => {
  const folder = userFolder('root')
  const entry = join(ROOT, 'bin.mjs')
  const script = 'mount -t tmpfs -o size=1m tmpfs "$0" && "$@"; echo "status $?"; ls -A "$0"'
  const { stdout, stderr } = spawnSync(
    'unshare',
    [
      '-m',
      'sh',
      '-c',
      script,
      folder,
      process.execPath,
      entry,
      'class',
      'pack',
      join(folder, 'class.tar.gz'),
    ],
    { encoding: 'utf8', env: { ...process.env, MINILAB_DATA: join(work, 'data') } },
  )
  expect(stdout).toBe('status 3\n')
  expect(stderr).toMatch(/^minilab: cannot write .*ENOSPC.*: free some space.*\n$/)
})

test('Ctrl-C in the middle: nothing left', async () => {
  const folder = userFolder()
  const begun = once(watch(folder), 'change')
  const child = spawn(
    process.execPath,
    [join(ROOT, 'bin.mjs'), 'class', 'pack', join(folder, 'class.tar.gz')],
    { env: { ...process.env, MINILAB_DATA: join(work, 'data') }, stdio: 'ignore' },
  )
  const ended = once(child, 'exit')
  await begun
  expect(readdirSync(folder)).toHaveLength(1)
  child.kill('SIGINT')
  expect(await ended).toEqual([130, null])
  expect(readdirSync(folder)).toEqual([])
})
