import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { Feed, SOCKET } from '../../lib/guide/feed.ts'
import type { FeedEvent, ContainerEvent } from '../../lib/guide/feed-event.ts'
import { hear } from '../../lib/look/view/hear.ts'
import { type Seen, Watch } from '../../lib/look/view/watch.ts'
import { endProcess } from '../../lib/kernel/process/signal.ts'
import { children, namespaceInode, nsPids, startTime } from '../../lib/kernel/process/procfs.ts'
import { isRoot, runMinilab, userFolder, userData } from '../support/minilab.ts'

/** Somebody who listens at a data folder. */
async function listener(data: string, hears: (event: FeedEvent) => void = () => {}) {
  const events: FeedEvent[] = []
  const gone: number[] = []
  const deafen = await hear(data, {
    event(_, event) {
      events.push(event)
      hears(event)
    },
    gone: teller => void gone.push(teller),
  })
  let ended: Promise<void> | undefined
  const end = async () => (ended ??= deafen())
  onTestFinished(end)
  return { events, gone, end }
}

const of = <K extends FeedEvent['kind']>(events: FeedEvent[], kind: K) =>
  events.filter((event): event is Extract<FeedEvent, { kind: K }> => event.kind === kind)

const viewers = (data: string) => readdirSync(join(data, 'containers')).filter(name => /^view-/.test(name))
const SOON = { timeout: 30_000 } // against hanging, not for speed
const STAGE: FeedEvent = { kind: 'stage', number: 1, of: 1, title: `a\u2028${'x'.repeat(1000)}` }

describe('a step tells', () => {
  test('its stages, tape and checks, also with --json, and where its containers are', async () => {
    const data = userData()
    const found: ContainerEvent[] = []
    const { events, gone } = await listener(data, event => {
      if (event.kind !== 'container') return
      // while it is told, it runs
      expect(startTime(event.pid)).toBe(event.started)
      found.push(event)
    })
    const ran = await runMinilab(['step', '2', '--json'], { data })
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    const [report] = ran.json()
    await expect.poll(() => gone, SOON).toEqual([1])

    expect(events[0]).toEqual({
      kind: 'step',
      number: 2,
      name: 'namespaces',
      title: report!.title,
      trial: null,
    })
    expect(events.at(-1)).toEqual({ kind: 'end', ok: true })
    const stages = of(events, 'stage')
    expect(stages.map(({ number, of }) => [number, of])).toEqual(stages.map((_, i) => [i + 1, stages.length]))
    expect(
      of(events, 'check').map(({ claim, ok, evidence }) => ({
        claim: claim.replaceAll('`', ''),
        ok,
        evidence,
      })),
    ).toEqual(report!.checks.map(({ claim, ok, evidence }) => ({ claim, ok, evidence })))
    const [own] = of(events, 'launch')
    expect(own!.purpose).toBe('step 2 namespaces')
    const shown = own!.calls.filter(call => 'call' in call)
    expect(shown[0]!.call).toBe('clone3')
    expect(report!.tape).toEqual(
      expect.arrayContaining(shown.slice(1).map(call => expect.objectContaining(call))),
    )
    expect(found[0]).toMatchObject({ name: 'step 2 namespaces', pidNamespace: namespaceInode('self', 'pid') })
  })

  test('from the sandbox that a network needs without root', async () => {
    const data = userData()
    const { events } = await listener(data)
    const ran = await runMinilab(['step', '6', '--json', '--rootless'], { data })
    expect(ran.status).toBe(0)
    await expect.poll(() => events.at(-1), SOON).toEqual({ kind: 'end', ok: true })
    expect(of(events, 'container').length).toBeGreaterThan(1)
  })

  test('what is built wrongly, from a sandbox with other files and another pid namespace', async () => {
    const data = userData()
    const { events } = await listener(data)
    const ran = await runMinilab(['step', '2', '--mutant', 'no-uts', '--json'], { data })
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    await expect.poll(() => events.at(-1), SOON).toEqual({ kind: 'end', ok: false })
    expect(events[0]).toMatchObject({ kind: 'step', number: 2, trial: 'mutant no-uts' })
    const [report] = ran.json()
    expect(of(events, 'check').map(({ ok }) => ok)).toEqual(report!.checks.map(({ ok }) => ok))
    const [own] = of(events, 'container')
    expect(own!.pidNamespace).not.toBe(namespaceInode('self', 'pid'))
  })

  test("what a learner's code does, in its sandbox", async () => {
    const data = userData()
    const { events } = await listener(data)
    const workspace = join(userFolder(), 'mine')
    expect((await runMinilab(['init', workspace], { data })).status).toBe(0)
    const env = { MINILAB_WORKSPACE: workspace }
    const ran = await runMinilab(['check', '2', '--json'], { data, env })
    expect(ran.status).toBe(1) // nothing is written yet
    await expect.poll(() => events.at(-1), SOON).toEqual({ kind: 'end', ok: false })
    expect(events[0]).toMatchObject({ kind: 'step', number: 2, trial: 'lab' })
    expect(of(events, 'check').some(({ ok }) => ok === false)).toBe(true)
  })
})

test('without a viewer nothing is made, and nothing is kept open', () => {
  const data = userFolder()
  const before = readdirSync('/proc/self/fd').length
  const feed = new Feed(data)
  feed.tell(STAGE)
  feed.close()
  expect(readdirSync(data)).toEqual([])
  expect(readdirSync('/proc/self/fd').length).toBe(before)
})

describe('a viewer', () => {
  test('that comes late hears everything, and without another event', async () => {
    const data = userData()
    mkdirSync(join(data, 'containers'))
    const feed = new Feed(data)
    const told = [1, 2, 3].map(number => ({ ...STAGE, number }))
    for (const event of told) feed.tell(event)
    const { events } = await listener(data)
    await expect.poll(() => events, SOON).toEqual(told)
    feed.close()
  })

  test('that does not read is left alone', async () => {
    const data = userData()
    const folder = join(data, 'containers', 'view-abc')
    mkdirSync(folder, { recursive: true })
    const server = createServer({ pauseOnConnect: true })
    server.listen(join(folder, SOCKET))
    await once(server, 'listening')
    const feed = new Feed(data)
    onTestFinished(() => void server.close())
    const connected = once(server, 'connection')
    for (let i = 0; i < 8000; i++) feed.tell(STAGE) // 8 MB, and no await: it cannot wait for anybody
    const [socket] = await connected
    // dropped: what the kernel had room for can be read, and then it ends, though the feed goes on
    let heard = 0
    socket.on('data', (bytes: Buffer) => (heard += bytes.length))
    await once(socket.resume(), 'end')
    expect(heard).toBeLessThan(8_000_000)
    feed.close()
  })

  test('that has gone in the middle is no reason to end', async () => {
    const data = userData()
    const { end } = await listener(data)
    const signals: string[] = []
    const note = (signal: string) => void signals.push(signal)
    process.on('SIGPIPE', note) // as a step does: its own output may be closed
    onTestFinished(() => void process.off('SIGPIPE', note))
    const feed = new Feed(data)
    feed.tell(STAGE)
    await end()
    feed.tell(STAGE)
    feed.tell(STAGE)
    feed.close()
    const later = once(process, 'SIGUSR2') // signals are told in their order
    process.kill(process.pid, 'SIGUSR2')
    await later
    expect(signals).toEqual([])
  })

  test('that was killed leaves a socket that nobody minds, and the next command removes', async () => {
    const data = userData()
    const program = `
      import { hear } from ${JSON.stringify(new URL('../../lib/look/view/hear.ts', import.meta.url).href)}
      await hear(${JSON.stringify(data)}, { event() {}, gone() {} })
      process.stdout.write('here')`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program])
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(viewers(data)).toHaveLength(1)
    const feed = new Feed(data)
    feed.tell(STAGE)
    feed.close()
    expect((await runMinilab(['step', '1', '--json'], { data })).status).toBe(0)
    expect(viewers(data)).toEqual([])
  })

  test('listens in a folder of its own that nobody else may enter, and leaves nothing', async () => {
    const data = userData()
    const { end } = await listener(data)
    const [name] = viewers(data)
    const folder = join(data, 'containers', name!)
    expect(statMode(folder)).toBe('700')
    expect(readFileSync('/proc/net/unix', 'utf8')).toContain(SOCKET)
    await end()
    expect(existsSync(folder)).toBe(false)
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
  })

  test("is found under a path that is longer than a socket's name may be", async () => {
    const data = join(userFolder(), 'x'.repeat(120))
    mkdirSync(data)
    const { events } = await listener(data)
    const feed = new Feed(data)
    feed.tell(STAGE)
    feed.close()
    await expect.poll(() => events, SOON).toEqual([STAGE])
  })

  test.each([
    ['no JSON', 'hello\n'],
    ['another document', '{"kind":"stage","number":"1"}\n'],
    ['an unknown kind', '{"kind":"constructor"}\n'],
    ['a line without end', 'x'.repeat(2 ** 21)],
  ])('hears no more of who says %s', async (_, said) => {
    const data = userData()
    const { events, gone } = await listener(data)
    const stranger = connect(join(data, 'containers', viewers(data)[0]!, SOCKET))
    stranger.on('error', () => {}) // it is hung up on, perhaps in the middle
    stranger.write(said)
    stranger.write(`${JSON.stringify(STAGE)}\n`)
    await expect.poll(() => gone, SOON).toEqual([1])
    expect(events).toEqual([])
    const feed = new Feed(data)
    feed.tell(STAGE)
    feed.close()
    await expect.poll(() => events, SOON).toEqual([STAGE])
  })
})

test.skipIf(!isRoot)('a container in another pid namespace is found in ours', async () => {
  const data = userData()
  const shell = spawn('unshare', ['--pid', '--fork', 'sh', '-c', 'sleep 300 & echo $!; wait'])
  onTestFinished(() => void shell.kill('SIGKILL'))
  const inside = Number(String((await once(shell.stdout, 'data'))[0]))
  const [first = 0] = children(shell.pid!)
  const [sleep = 0] = children(first)
  onTestFinished(async () => void (await endProcess(first)))
  expect(nsPids(sleep).at(-1)).toBe(inside)
  const named: ContainerEvent = {
    kind: 'container',
    name: 'elsewhere',
    pid: inside,
    started: startTime(sleep),
    pidNamespace: namespaceInode(sleep, 'pid')!,
  }
  let seen: Seen[] = []
  const defects: unknown[] = []
  vi.stubEnv('MINILAB_DATA', data)
  const watch = new Watch(
    now => (seen = now),
    error => void defects.push(error),
  )
  onTestFinished(async () => watch.end())
  watch.watched = true
  watch.told(1, { ...named, pidNamespace: 1 }) // in a namespace that is none: not found
  watch.told(1, named)
  await expect
    .poll(() => seen.map(({ name, found }) => [name, 'pid' in found && found.pid]), SOON)
    .toEqual([['elsewhere', sleep]])
  process.kill(sleep, 'SIGKILL')
  await expect.poll(() => seen, SOON).toEqual([])
  expect(defects).toEqual([])
})

const statMode = (path: string) => (statSync(path).mode & 0o777).toString(8)

test("what has ended while nobody watched stands in nobody's way", async () => {
  vi.stubEnv('MINILAB_DATA', userFolder())
  let seen: Seen[] = []
  const defects: unknown[] = []
  const watch = new Watch(
    now => (seen = now),
    error => void defects.push(error),
  )
  onTestFinished(async () => watch.end())
  const tell = (name: string) => {
    const child = spawn('sleep', ['300'])
    onTestFinished(() => void child.kill('SIGKILL'))
    const pid = child.pid!
    const pidNamespace = namespaceInode('self', 'pid')!
    watch.told(1, { kind: 'container', name, pid, started: startTime(pid), pidNamespace })
    return child
  }
  for (const child of Array.from({ length: 40 }, () => tell('before'))) {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  tell('now')
  watch.watched = true
  await expect.poll(() => seen.map(({ name }) => name), SOON).toEqual(['now'])
  expect(defects).toEqual([])
})
