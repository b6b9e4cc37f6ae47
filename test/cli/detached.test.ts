// `run -d`: a monitor and two log pumps instead of a process of Node; conmon as their judge.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { defaultSpec } from '../../lib/container/default-spec.ts'
import type { State } from '../../lib/container/state/state-shape.ts'
import { specFor } from '../../lib/guide/runtime.ts'
import { findImage } from '../../lib/image/store.ts'
import { children, descriptors, isAlive, pids, status, unlessGone } from '../../lib/kernel/process/procfs.ts'
import { freePort } from '../support/free-port.ts'
import {
  isRoot,
  runMinilab,
  self,
  sharedData,
  thorough,
  userData,
  userFolder,
  type UserName,
  users,
  few,
} from '../support/minilab.ts'
import { noStrace } from '../support/strace.ts'

const shared = sharedData()
const NONE = ['--network', 'none']

/** Starts a container in the background; its state, and what runs minilab for it. */
async function background(
  args: string[],
  { user = self, flags = NONE, data = shared[user], wrapper = [] }: Options = {},
) {
  const minilab = (...words: string[]) => runMinilab(words, { user, data })
  const { stdout, stderr } = await runMinilab(['run', '-d', ...flags, 'default', ...args], {
    user,
    data,
    wrapper,
  })
  const id = stdout.trim()
  expect([id, stderr]).toEqual([expect.stringMatching(/^[0-9a-f]{12}$/), ''])
  onTestFinished(async () => void (await minilab('rm', '-f', id)))
  const state = () => JSON.parse(readFileSync(join(data, 'containers', id, 'state.json'), 'utf8')) as State
  const listed = async () => {
    const rows = JSON.parse((await minilab('ps', '-a', '--json')).stdout) as { id: string; status: string }[]
    return rows.find(row => row.id === id)?.status
  }
  return { id, minilab, state, listed, data }
}
interface Options {
  user?: UserName
  flags?: string[]
  data?: string
  /** what is written in front of `minilab run` */
  wrapper?: string[]
}

/** Our processes beside a container. */
const beside = ({ keeper, pumps }: State) => [keeper, pumps!.stdout, pumps!.stderr]

describe.each(users)('as %s', user => {
  test('no process of Node is left, only a monitor and two pumps, of 64 KiB together', async () => {
    const { state } = await background(['sleep', '1000'], { user, flags: [] })
    const ours = beside(state())
    if (isRoot)
      for (const { pid } of ours) expect(readlinkSync(`/proc/${pid}/exe`)).toBe('/memfd:minilab (deleted)')
    const names = ours.map(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ''))
    expect(names).toEqual(['minilab-monitor', 'minilab-log', 'minilab-log'])
    const sizes = ours.map(({ pid }) => Number.parseInt(status(pid).VmRSS ?? '')) // kB
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(64)
    // nothing of the caller's, and no more than they need
    if (isRoot)
      expect(ours.map(({ pid }) => Object.keys(descriptors(pid)).join())).toEqual([
        '0,1,2,3,4,5,6',
        '0,1,2',
        '0,1,2',
      ])
    const parent = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${state().pid}/status`, 'utf8'))?.[1]
    expect(Number(parent)).toBe(state().keeper.pid)
  })

  test("the caller's limits, which would end them, do not hold for them: up to the hard limit at least", async () => {
    const wrapper = ['prlimit', '--cpu=100:1000', '--fsize=10000000:100000000']
    const { state } = await background(['sleep', '1000'], { user, wrapper })
    const { pumps } = state()
    for (const { pid } of [pumps!.stdout, pumps!.stderr]) {
      const lines = readFileSync(`/proc/${pid}/limits`, 'utf8').split('\n')
      const softOf = (name: string) => lines.find(line => line.startsWith(name))?.split(/ {2,}/)[1]
      expect(['1000', 'unlimited']).toContain(softOf('Max cpu time'))
      expect(['100000000', 'unlimited']).toContain(softOf('Max file size'))
    }
  })

  test('with -p, forwarders stay besides, and end with the container, whoever is connected', async () => {
    const [one, two] = [await freePort(), await freePort()]
    const flags = ['-p', `${one}:80`, '-p', `127.0.0.1:${two}:81`]
    const { state, id, minilab } = await background(['sleep', '1000'], { user, flags })
    const { forwarders = [] } = state()
    expect(forwarders.length).toBe(2)
    for (const { pid } of forwarders) {
      expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toBe('minilab-forwarder\0')
      if (isRoot) expect(readlinkSync(`/proc/${pid}/exe`)).toBe('/memfd:minilab (deleted)')
      expect(Number.parseInt(status(pid).VmRSS ?? '')).toBeLessThanOrEqual(24) // kB; its processes share it
    }
    const idle = createConnection(one, '127.0.0.1')
    idle.on('error', () => {})
    await once(idle, 'connect')
    expect((await minilab('rm', '-f', id)).status).toBe(0)
    for (const { pid, started } of forwarders) expect(isAlive(pid, started)).toBe(false)
    // nothing else keeps the ports
    expect(await minilab('run', '--rm', ...flags, 'default', 'true')).toMatchObject({ status: 0, stderr: '' })
  })

  test('a killed forwarder closes its port, and ps says so; the container goes on', async () => {
    const port = await freePort()
    const { state, id, minilab } = await background(['sleep', '1000'], { user, flags: ['-p', `${port}:80`] })
    const { name, forwarders } = state()
    const { pid, started } = forwarders![0]!
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => isAlive(pid, started)).toBe(false)
    expect(await minilab('ps')).toMatchObject({
      stdout: expect.stringContaining('running') as string,
      stderr: expect.stringContaining(`port ${port}:80 of ${name} is closed`) as string,
    })
    expect(await minilab('rm', '-f', id)).toMatchObject({ status: 0, stderr: '' })
  })

  test.each([
    ['exit 0', 'exited (0)'],
    ['exit 42', 'exited (42)'],
    ['kill -KILL 1; kill -TERM $$; exec sleep 0.1', 'exited (0)'],
  ])('how it ended is recorded: %s', async (script, expected) => {
    const { state, listed } = await background(['sh', '-c', script], { user })
    await expect.poll(() => isAlive(state().keeper.pid, state().keeper.started)).toBe(false)
    expect(await listed()).toBe(expected)
    expect(Date.parse(state().exit?.at ?? '')).toBeGreaterThan(Date.parse(state().created))
  })

  test('a signal that ended it is recorded, and nothing is left but its state and its log', async () => {
    const data = userData(user)
    const { state, listed, minilab, id } = await background(['sleep', '1000'], { user, flags: [], data })
    await minilab('kill', id)
    await expect.poll(() => isAlive(state().keeper.pid, state().keeper.started)).toBe(false)
    expect(await listed()).toBe('exited (137)')
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
    await minilab('rm', id)
    expect([readdirSync(join(data, 'containers')), readdirSync(join(data, 'logs'))]).toEqual([[], []])
  })

  test('a killed monitor takes the container with it, which ended in an unknown way; the next command takes back', async () => {
    const data = userData(user)
    const flags = ['-p', `${await freePort()}:80`]
    const { state, listed, minilab, id } = await background(['sleep', '1000'], { user, flags, data })
    const { keeper, pid, started, pumps, forwarders = [] } = state()
    process.kill(keeper.pid, 'SIGKILL')
    await expect.poll(() => isAlive(pid, started)).toBe(false)
    for (const helper of [...Object.values(pumps!), ...forwarders])
      await expect.poll(() => isAlive(helper.pid, helper.started)).toBe(false)
    expect(await listed()).toBe('ended (status unknown)')
    await minilab('rm', id)
    expect([readdirSync(join(data, 'ledger')), readdirSync(join(data, 'containers'))]).toEqual([[], []])
  })

  test("a pump's death is told; the program gets SIGPIPE, and the other stream goes on", async () => {
    const script =
      'echo one; echo two >&2; until test -e /go; do sleep 0.05; done; (echo three); echo status $? >&2'
    const { state, minilab, id } = await background(['sh', '-c', script], { user })
    await expect.poll(async () => (await minilab('logs', id)).stdout).toMatch(/^(one\ntwo|two\none)\n$/)
    process.kill(state().pumps!.stdout.pid, 'SIGKILL')
    await minilab('exec', id, 'touch', '/go')
    const { stdout, stderr } = await minilab('logs', '-f', id)
    expect(stdout).toMatch(/^(one\ntwo|two\none)\n[^]*status [1-9]\d*\n$/)
    expect(stderr).toMatch(
      /^minilab: the log of \S+ has no end: what wrote its stdout was killed, or had no space\n$/s,
    )
  })
})

test.skipIf(!isRoot || noStrace !== '')(
  `the exit status is known also where the monitor cannot become minilab${noStrace}`,
  async () => {
    const { state, listed, minilab, id } = await background([
      'sh',
      '-c',
      'until test -e /go; do sleep 0.05; done; exit 9',
    ])
    const { keeper } = state()
    const tracer = spawn('strace', ['-p', String(keeper.pid), '-e', 'inject=execve:error=EACCES'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const over = once(tracer, 'exit')
    await once(tracer.stderr, 'data') // attached
    await minilab('exec', id, 'touch', '/go')
    await over
    expect(isAlive(keeper.pid, keeper.started)).toBe(false)
    expect(await listed()).toBe('exited (9)')
  },
)

test.each(isRoot ? thorough(['has ended and is not reaped']) : [])(
  'rm -f says that something joined the container and %s, and works when it is',
  async () => {
    const { id, minilab, state } = await background(['sleep', '1000'])
    const joined = spawn('nsenter', ['--target', String(state().pid), '--pid', 'sleep', '1000'], {
      stdio: 'ignore',
    })
    await expect.poll(() => children(joined.pid!)).toHaveLength(1)
    joined.kill('SIGSTOP') // it is the parent of the process inside, and cannot reap it
    const { status, stderr } = await minilab('rm', '-f', id)
    expect(stderr).toMatch(/^minilab: process \d+ is killed, but has not ended after 20 s: [^\n]+\n$/)
    expect(status).not.toBe(0)
    joined.kill('SIGCONT')
    await once(joined, 'exit')
    expect(await minilab('rm', '-f', id)).toMatchObject({ status: 0, stderr: '' })
  },
)

test('an end that comes at once, many times: each is recorded', async () => {
  const data = userData()
  const all = Array.from({ length: 8 }, (_, i) => i)
  const made = await Promise.all(
    all.map(i =>
      runMinilab(['run', '-d', '--name', `n${i}`, '--network', 'none', 'default', 'sh', '-c', `exit ${i}`], {
        data,
      }),
    ),
  )
  expect(made.map(({ stderr }) => stderr)).toEqual(all.map(() => ''))
  const list = async () => {
    const { stdout } = await runMinilab(['ps', '-a', '--json'], { data })
    return (JSON.parse(stdout) as { name: string; status: string }[])
      .map(({ name, status }) => `${name} ${status}`)
      .toSorted()
  }
  await expect.poll(list).toEqual(all.map(i => `n${i} exited (${i})`))
  // what was made is taken back before the test's folder goes, with the ledgers that name it
  await expect.poll(() => readdirSync(join(data, 'ledger'))).toEqual([])
})

// ─── conmon as the judge: the same programs give the same exits and the same bytes

const hasConmon = ['conmon', 'runc'].every(name => spawnSync(name, ['--version']).status === 0)

/** What conmon says of a program: its exit status as in the exit file, and the bytes of its streams, from its log. */
async function byConmon(script: string): Promise<{ status: number; stdout: string; stderr: string }> {
  const folder = userFolder()
  const id = `conmon-${process.pid}-${Math.random().toString(36).slice(2)}`
  const [rootfs = ''] = (await findImage('default')).layers
  const spec = defaultSpec(rootfs, ['/bin/sh', '-c', script], false)
  spec.root.readonly = true
  writeFileSync(join(folder, 'config.json'), JSON.stringify(specFor(spec)))
  const exits = join(folder, 'exits')
  mkdirSync(exits)
  const runtime = `--root=${join(folder, 'state')}`
  onTestFinished(() => void spawnSync('runc', [runtime, 'delete', '-f', id])) // with it conmon ends
  execFileSync('conmon', [
    ...['--api-version', '1', '-c', id, '-n', id, '-u', id, '-r', '/usr/sbin/runc', '--runtime-arg', runtime],
    ...[
      '-b',
      folder,
      '-p',
      join(folder, 'pid'),
      '-l',
      `k8s-file:${join(folder, 'log')}`,
      '--exit-dir',
      exits,
    ],
    ...['--syslog', '--socket-dir-path', folder],
  ])
  const created = () => spawnSync('runc', [runtime, 'state', id], { encoding: 'utf8' }).stdout
  await expect.poll(created, { interval: 100 }).toContain('"created"')
  execFileSync('runc', [runtime, 'start', id])
  await expect.poll(() => readdirSync(exits)).toEqual([id])
  await expect
    .poll(() =>
      pids().some(pid => unlessGone(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(id))),
    )
    .toBe(false)
  execFileSync('runc', [runtime, 'delete', '-f', id])
  const streams = { stdout: '', stderr: '' }
  for (const line of readFileSync(join(folder, 'log'), 'latin1').split('\n')) {
    const [, stream, kind, text = ''] = /^\S+ (stdout|stderr) ([FP]) ([^]*)$/.exec(line) ?? []
    if (stream) streams[stream as 'stdout'] += text + (kind === 'F' ? '\n' : '')
  }
  return { status: Number(readFileSync(join(exits, id), 'utf8')), ...streams }
}

describe.skipIf(!isRoot || !hasConmon)(
  `beside conmon${hasConmon ? '' : ' (not here: apt-get install conmon runc)'}`,
  () => {
    test.each(
      few(4, [
        'echo one; echo two >&2; exit 3',
        'printf "no end of line"',
        'exec >&- 2>&-; exit 4',
        'exec >&-; echo only errors >&2',
        'kill -KILL $$; exec sleep 0',
        'i=0; while [ $i -lt 3000 ]; do echo line $i; echo error $i >&2; i=$((i + 1)); done',
        'dd if=/dev/zero bs=1M count=3 2>/dev/null | tr "\\0" x; echo',
        '(sleep 0.3; echo late) & echo early; wait',
      ]),
    )('%s', async script => {
      const { id, minilab, state } = await background(['/bin/sh', '-c', script])
      await expect.poll(() => isAlive(state().keeper.pid, state().keeper.started)).toBe(false)
      const logged = async (stream: string) => (await minilab('logs', '--stream', stream, id)).stdout
      const [stdout, stderr] = [await logged('stdout'), await logged('stderr')]
      expect({ status: state().exit?.status, stdout, stderr }).toEqual(await byConmon(script))
    })
  },
)
