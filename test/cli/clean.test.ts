import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isolated, type Isolated } from '../support/isolated.ts'
import {
  isRoot,
  runMinilab,
  type RunOptions,
  userFolder,
  type UserName,
  users,
  self,
  thorough,
} from '../support/minilab.ts'
import { stateOf } from '../support/state.ts'

interface Document {
  removed: string[]
  kept: { what: string; why: string }[]
}

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const nft = ['/usr/sbin/nft', '/sbin/nft', '/usr/bin/nft'].find(existsSync)
const poll = { timeout: 20_000, interval: 10 }

async function clean(options: RunOptions): Promise<Document> {
  const { status, stdout, stderr } = await runMinilab(['clean', '--json'], options)
  expect([stderr, status]).toEqual(['', 0])
  return JSON.parse(stdout) as Document
}

/** Starts `minilab ARGS` and lets it run; what is in front of it becomes it, so the pid is minilab's own. */
function start(args: string[], { wrapper }: Isolated, data: string): ChildProcess {
  const [command = '', ...rest] = [...wrapper, process.execPath, ENTRY, ...args]
  const env = { ...process.env, MINILAB_DATA: data }
  const child = spawn(command, rest, { env, stdio: ['pipe', 'ignore', 'ignore'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

/** The cgroups of containers, without the directory above them. */
const containers = ({ cgroups }: Isolated) => cgroups().filter(path => /\/minilab\/[^/]+$/.test(path))
const tables = ({ wrapper: [command = '', ...rest] }: Isolated): string[] =>
  nft
    ? execFileSync(command, [...rest, nft, 'list', 'tables'], { encoding: 'utf8' })
        .split('\n')
        .filter(Boolean)
    : []

describe.skipIf(!isRoot)('what a killed step leaves (cgroups and links take root)', () => {
  const ways = [
    { way: 'by its ledger', lost: false },
    { way: 'by its name, when the ledger is lost', lost: true },
  ]

  test.each([ways[0]!, ...thorough(ways.slice(1))])(
    'cgroups are removed and named, $way',
    async ({ lost }) => {
      const place = await isolated()
      const options = { data: userFolder(), wrapper: place.wrapper }
      const step = start(['step', '4', '--yes'], place, options.data)
      await expect.poll(() => containers(place).length, poll).toBeGreaterThan(0)
      await killed(step)
      const left = containers(place)
      expect(left).not.toEqual([])
      if (lost) rmSync(join(options.data, 'ledger'), { recursive: true })

      const { removed, kept } = await clean(options)
      expect(removed).toEqual(expect.arrayContaining(left.map(path => `cgroup ${path}`)))
      expect(kept).toEqual([])
      expect(place.cgroups()).toEqual([])
      expect(await clean(options)).toEqual({ removed: [], kept: [] })
    },
  )

  test.each([ways[0]!, ...thorough(ways.slice(1))])(
    'links and rules are removed and named, $way',
    async ({ lost }) => {
      const place = await isolated()
      const options = { data: userFolder(), wrapper: place.wrapper }
      const step = start(['step', '6', '--yes'], place, options.data)
      const bridge = () => place.links().find(name => name.startsWith('mlb-'))
      // the rules come last
      await expect.poll(() => (nft ? tables(place).length > 0 : bridge() !== undefined), poll).toBe(true)
      await killed(step)
      const [name, rules] = [bridge(), tables(place)]
      expect(name).toBeDefined()
      if (lost) rmSync(join(options.data, 'ledger'), { recursive: true })

      const { removed, kept } = await clean(options)
      expect(removed).toContain(`link ${name}`)
      for (const rule of rules) expect(removed).toContain(`rules: ${rule}`)
      expect(kept).toEqual([])
      expect(tables(place)).toEqual([])
      // a cable goes with its container's network namespace, of which the kernel disposes later
      await expect.poll(place.links, poll).toEqual(['lo'])
      expect(place.cgroups()).toEqual([])
      expect(await clean(options)).toEqual({ removed: [], kept: [] })
    },
  )

  test('what a running command holds stays, also when its ledger is lost or lies in another data folder', async () => {
    const place = await isolated()
    const options = { data: userFolder(), wrapper: place.wrapper }
    const keeper = start(['step', '4', '--yes', '--keep'], place, options.data)
    await expect.poll(() => containers(place).length, poll).toBeGreaterThan(0)
    const other = { data: userFolder(), wrapper: place.wrapper }
    const victim = start(['step', '4', '--yes'], place, other.data)
    const ids = () => new Set(containers(place).map(path => path.replace(/.*\/([0-9a-f]{6})-\d+$/, '$1')))
    await expect.poll(() => ids().size, poll).toBe(2)
    await killed(victim)

    const first = await clean(other)
    expect(first.removed).not.toEqual([])
    const [id] = ids()
    expect(ids().size).toBe(1)
    expect(first.removed.join()).not.toContain(id)
    for (const data of [options.data, other.data]) {
      const { removed, kept } = await clean({ ...options, data })
      expect(removed).toEqual([])
      expect(kept.map(({ what }) => what)).toEqual(expect.arrayContaining([expect.stringContaining(id!)]))
      for (const { why } of kept)
        expect(why, JSON.stringify(kept)).toBe(`process ${keeper.pid} (minilab step 4 --yes --keep) uses it`)
    }
    rmSync(join(options.data, 'ledger'), { recursive: true })
    expect((await clean(options)).removed).toEqual([])
    expect(keeper.exitCode).toBeNull()

    // it was untouched: it comes to its end, with everything that it has to look at
    keeper.stdin?.end('\n')
    const [status] = (await once(keeper, 'exit')) as [number | null]
    expect(status).toBe(0)
    expect(await clean(options)).toEqual({ removed: [], kept: [] })
    expect(place.cgroups()).toEqual([])
  })

  test('what only looks like ours stays', async () => {
    const place = await isolated()
    const [command = '', ...rest] = place.wrapper
    const run = (...args: string[]) => execFileSync(command, [...rest, ...args])
    run('ip', 'link', 'add', 'ml-abcdef', 'type', 'bridge')
    run('ip', 'link', 'add', 'ml-else', 'type', 'veth', 'peer', 'name', 'other')
    run('ip', 'link', 'add', 'mlb-else', 'type', 'bridge')
    if (nft) run(nft, 'add', 'table', 'ip', 'mlb-else')
    const before = [place.links(), tables(place)]
    expect(await clean({ data: userFolder(), wrapper: place.wrapper })).toEqual({ removed: [], kept: [] })
    expect([place.links(), tables(place)]).toEqual(before)
  })

  test('what belongs to root stays when an ordinary user cleans', async () => {
    const place = await isolated()
    const step = start(['step', '4', '--yes'], place, userFolder('root'))
    await expect.poll(() => containers(place).length, poll).toBeGreaterThan(0)
    await killed(step)
    const left = containers(place)
    const become = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups']
    const wrapper = [...place.wrapper, ...become]
    expect(await clean({ data: userFolder('ordinary'), wrapper })).toEqual({ removed: [], kept: [] })
    expect(containers(place)).toEqual(left)
    await clean({ data: userFolder(), wrapper: place.wrapper })
    expect(place.cgroups()).toEqual([])
  })
})

// root cleans in a place of its own: what other tests are about to clean must be left to them
const place = async (user: UserName) => ({ user, wrapper: user === 'root' ? (await isolated()).wrapper : [] })

describe.each(users)('files, as %s', user => {
  test('half-made things go; containers that `rm` removes, and what is in use, stay', async () => {
    const data = userFolder(user)
    const gone = ['containers/012345-0', 'containers/0123456789ab', 'tmp/999999999-abc', 'logs/1-1.log']
    const stay = ['containers/abcdef012345', `tmp/${process.pid}-abc`, 'logs/2-2.log', 'logs/3-3.log']
    for (const path of [...gone, ...stay]) {
      mkdirSync(join(data, path, '..'), { recursive: true })
      if (path.endsWith('.log')) writeFileSync(join(data, path), 'said')
      else mkdirSync(join(data, path, 'upper'), { recursive: true })
    }
    const log = join(data, 'logs/2-2.log')
    const state = stateOf('abcdef012345', { log })
    writeFileSync(join(data, 'containers/abcdef012345/state.json'), JSON.stringify(state))
    if (isRoot && user === 'ordinary') execFileSync('chown', ['-R', '65534:65534', data])
    // for an ordinary user only a process of their own tells what it has open
    const reader = spawn('sleep', ['1000'], {
      stdio: [openSync(join(data, 'logs/3-3.log'), 'r'), 'ignore', 'ignore'],
      ...(isRoot && user === 'ordinary' ? { uid: 65534, gid: 65534 } : {}),
    })
    onTestFinished(() => void reader.kill('SIGKILL'))

    const options = { data, ...(await place(user)) }
    const { removed, kept } = await clean(options)
    const named = gone.map(path => `${path.endsWith('.log') ? 'file' : 'folder'} ${join(data, path)}`)
    expect(removed.sort()).toEqual(named.sort())
    expect(kept).toEqual([])
    for (const path of gone) expect([path, existsSync(join(data, path))]).toEqual([path, false])
    for (const path of stay) expect([path, existsSync(join(data, path))]).toEqual([path, true])
    expect((await clean(options)).removed).toEqual([])
  })

  test('a data folder that is not there is not made', async () => {
    const data = join(userFolder(user), 'data')
    expect(await clean({ data, ...(await place(user)) })).toEqual({ removed: [], kept: [] })
    expect(existsSync(data)).toBe(false)
  })
})

test('in words: one line each, or that there is nothing', async () => {
  const data = userFolder()
  const { wrapper } = await place(self)
  mkdirSync(join(data, 'containers/012345-0'), { recursive: true })
  const run = async () => (await runMinilab(['clean'], { data, wrapper })).stdout
  expect(await run()).toBe(`✔ removed folder ${join(data, 'containers/012345-0')}\n`)
  expect(await run()).toBe('nothing to clean\n')
  expect(readdirSync(join(data, 'containers'))).toEqual([])
})
