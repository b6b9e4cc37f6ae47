import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage, request } from 'node:http'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { FeedEvent } from '../../lib/guide/feed-event.ts'
import type { Report } from '../../lib/guide/step.ts'
import { cgroupOf } from '../../lib/kernel/cgroup/cgroup.ts'
import { readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { children, nsPids, unlessGone, nulSeparated } from '../../lib/kernel/process/procfs.ts'
import { noChromium, violations } from '../support/chromium.ts'
import { isRoot, modesOf, runMinilab, users, userData } from '../support/minilab.ts'
import { article, background, open, recorded, SOON, start, startView } from './view-support.ts'

async function ask(
  url: URL,
  { method = 'GET', headers = {} } = {},
): Promise<{ status: number; body: string }> {
  const asked = request(url, { method, headers }).end()
  const [response] = (await once(asked, 'response')) as [IncomingMessage]
  return { status: response.statusCode ?? 0, body: await text(response) }
}

describe('the door', () => {
  test('opens only with the token, for a browser on this machine, and only to read', async () => {
    const { url } = await startView()
    const without = new URL('/', url)
    const wrong = new URL(`/?token=${'x'.repeat(32)}`, url)
    const told = { status: 403, body: 'Use the URL that `minilab view` has printed.\n' }
    expect(await ask(without)).toEqual(told)
    expect(await ask(wrong)).toEqual(told)
    for (const path of ['/events', '/view.js', '/view.css', '/../../../etc/passwd'])
      expect(await ask(new URL(path, url))).toEqual(told)
    expect((await ask(url)).status).toBe(200)
    // DNS rebinding: a stranger's name that leads here
    const { host } = url
    for (const name of [
      'evil.example',
      `evil.example:${url.port}`,
      '127.0.0.1.evil.example',
      `[::1]:${url.port}`,
    ])
      expect((await ask(url, { headers: { host: name } })).status).toBe(403)
    expect((await ask(url, { headers: { host: `localhost:${url.port}` } })).status).toBe(200)
    for (const origin of ['http://evil.example', 'null', 'http://127.0.0.1:1', `https://${host}`])
      expect((await ask(url, { headers: { origin } })).status).toBe(403)
    expect((await ask(url, { headers: { origin: `http://${host}` } })).status).toBe(200)
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
      expect((await ask(url, { method })).status).toBe(405)
    expect(await ask(url, { method: 'HEAD' })).toEqual({ status: 200, body: '' })
    const { search } = url
    expect((await ask(new URL(`/constructor${search}`, url))).status).toBe(404)
    expect((await ask(new URL(`/events${search}`, url), { method: 'HEAD' })).status).toBe(200)
  })

  test('is on the loopback address and nowhere else', async () => {
    const { url } = await startView()
    const port = Number(url.port).toString(16).toUpperCase().padStart(4, '0')
    const listening = ['tcp', 'tcp6'].flatMap(table =>
      readFileSync(`/proc/net/${table}`, 'utf8')
        .split('\n')
        .map(line => line.trim().split(/\s+/))
        .filter(([, local = '', , state]) => local.endsWith(`:${port}`) && state === '0A')
        .map(([, local]) => local),
    )
    expect(listening).toEqual([`0100007F:${port}`])
  })

  test('that is taken, or none: one line', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const data = userData()
    expect(await runMinilab(['view', '--port', String(port)], { data })).toMatchObject({
      status: 2,
      stdout: '',
      stderr: `minilab: port ${port} is in use: choose another, such as --port 7071; --port 0 takes any free port\n`,
    })
    expect(readdirSync(join(data, 'containers'))).toEqual([])
    const ran = await runMinilab(['view', '--port', '70000'], { data })
    expect(ran).toMatchObject({ status: 2, stderr: expect.stringMatching(/^minilab: .*70000.*: .*\n$/) })
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('closes at %s, and nothing is left', async signal => {
    const { child, exit, errors, url, data } = await startView()
    const page = get(new URL(`/events${url.search}`, url))
    const [stream] = (await once(page, 'response')) as [IncomingMessage]
    stream.on('error', () => {}) // it is cut off
    expect(readdirSync(join(data, 'containers'))).toHaveLength(1)
    child.kill(signal)
    expect(await exit).toEqual([0, null])
    expect(await errors).toBe('')
    expect(readdirSync(join(data, 'containers'))).toEqual([])
    expect(readdirSync(join(data, 'ledger'))).toEqual([])
  })
})

/** The server-sent events from now on, parsed. */
function listen(url: URL, last?: string) {
  const events: { event: string; id?: string; data: Record<string, unknown> }[] = []
  const headers = last === undefined ? {} : { 'last-event-id': last }
  const asked = get(new URL(`/events${url.search}`, url), { headers }, response => {
    let rest = ''
    response.on('error', () => {}) // it is cut off at the end
    response.setEncoding('utf8').on('data', (said: string) => {
      const blocks = (rest + said).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) {
        const fields = Object.fromEntries(block.split('\n').map(line => line.split(/: (.*)/s))) as Record<
          string,
          string
        >
        if (fields.event)
          events.push({
            event: fields.event,
            ...(fields.id && { id: fields.id }),
            data: JSON.parse(fields.data!),
          })
      }
    })
  })
  asked.on('error', () => {})
  onTestFinished(() => void asked.destroy())
  return { events, close: () => void asked.destroy() }
}

describe.each(users)('as %s', user => {
  test('a step is told with its stages, tape and checks; who comes back hears the rest', async () => {
    const { url, data } = await startView(userData(user), user)
    const { events } = listen(url)
    const told = () => events.filter(({ event }) => event === 'told')
    const ran = await runMinilab(['step', '3', '--json'], { data, user })
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    await expect.poll(() => told().at(-1)?.data.kind, SOON).toBe('end')
    const of = (kind: FeedEvent['kind']) => told().filter(({ data }) => data.kind === kind)
    const [report] = ran.json()
    expect(of('check').map(({ data }) => data.ok)).toEqual(report!.checks.map(({ ok }) => ok))
    expect(of('launch').length).toBeGreaterThanOrEqual(1)
    expect(told().map(({ id }) => Number(id))).toEqual(told().map((_, i) => i + 1))

    const { events: again } = listen(url, '5')
    await expect.poll(() => again.find(({ data }) => data.kind === 'end')?.id, SOON).toBe(told().at(-1)!.id)
    expect(again.find(({ event }) => event === 'told')!.id).toBe('6')
  })
})

test.skipIf(!isRoot)('the kernel is asked nothing while nobody looks', async () => {
  const { url, data } = await startView()
  await background(data, 'web')
  const looks = (page: ReturnType<typeof listen>) =>
    page.events.filter(({ event }) => event === 'looked').map(({ data }) => Number(data.look))
  const first = listen(url)
  await expect.poll(() => looks(first).length, SOON).toBeGreaterThan(2)
  first.close()
  const last = looks(first).at(-1)!
  // as long as that takes there would be many more
  expect((await runMinilab(['step', '4', '--json'], { data })).status).toBe(0)
  const second = listen(url)
  await expect.poll(() => looks(second).length, SOON).toBeGreaterThan(2)
  expect(looks(second)[0]).toBeLessThanOrEqual(last + 4) // some were on their way when we left
})

const THEMES = ['light', 'dark'] as const

describe.skipIf(noChromium || !isRoot)(`the page${noChromium}`, () => {
  test('says what to type while nothing runs', async () => {
    const { url, data } = await startView()
    const { page, noise } = await open(url)
    const prompt = page.locator('#nothing')
    await expect.poll(() => prompt.isVisible(), SOON).toBe(true)
    const commands = await prompt.locator('dt').allTextContents()
    expect(commands[0]).toBe(`MINILAB_DATA=${data} minilab step 4`)
    for (const command of commands)
      expect((await runMinilab([command.split(' ')[2]!, '--help'])).status).toBe(0)
    expect(noise).toEqual([])
  })

  test('shows a step of another process, from the prompt that waits to the verdict', async () => {
    const { url, data } = await startView()
    const { page, noise } = await open(url)
    const step = start(['step', '2', '--json', '--keep'], data)
    const shown = article(page, 'step 2 namespaces')
    await shown.waitFor(SOON)
    expect(await page.locator('#nothing').isVisible()).toBe(false)
    // which process it is, is what the kernel says
    const [, pid] = /first process (\d+)/.exec((await shown.textContent())!)!
    expect(children(step.child.pid!)).toContain(Number(pid))
    step.child.stdin.end('\n')
    const report = JSON.parse(await text(step.child.stdout)) as Report
    expect((await step.exit)[0]).toBe(0)

    const checks = page.locator('#calls .check')
    await expect.poll(() => page.locator('#calls .end').count(), SOON).toBe(1)
    expect(await checks.locator('.claim').allTextContents()).toEqual(
      report.checks.map(({ claim }) => `✔${claim}`),
    )
    expect(await page.locator('#calls .end').textContent()).toBe(`✔${report.checks.length} checks hold`)
    const calls = await page.locator('#calls .call').allTextContents()
    for (const { call } of report.tape.filter(({ call }) => /^(unshare|sethostname|mount)$/.test(call)))
      expect(calls.some(line => line.startsWith(`${call}(`))).toBe(true)
    expect(await page.locator('#calls .stage').count()).toBeGreaterThan(2)
    // the newest is in sight
    const [end, tape] = [
      await page.locator('#calls .end').boundingBox(),
      await page.locator('#calls').boundingBox(),
    ]
    expect(end!.y + end!.height).toBeLessThanOrEqual(tape!.y + tape!.height)
    // its last picture stays
    await page.locator('article.ended').waitFor(SOON)
    expect(await shown.isVisible()).toBe(true)
    expect(await page.locator('#nothing').isVisible()).toBe(false)
    expect(noise).toEqual([])
  })

  test('that is opened late shows all of a step that stays', async () => {
    const { data, ...first } = await startView()
    first.child.kill('SIGINT')
    await first.exit
    const step = start(['step', '3', '--yes', '--keep'], data)
    let said = ''
    step.child.stderr.on('data', (bytes: Buffer) => (said += bytes))
    await expect.poll(() => said, SOON).toContain('Enter ends it')
    const { url } = await startView(data)
    const { page, noise } = await open(url)
    await article(page, 'step 3 root').waitFor(SOON)
    expect(await page.locator('#calls .step').textContent()).toContain('Step 3')
    step.child.stdin.end('\n')
    expect((await step.exit)[0]).toBe(0)
    expect(noise).toEqual([])
  })

  test('says what is wrong on purpose, and what comes of it', async () => {
    const { url, data } = await startView()
    const { page, noise } = await open(url)
    const ran = await runMinilab(['step', '2', '--mutant', 'no-uts', '--json'], { data })
    expect(ran.status).toBe(0)
    await page.locator('#calls .end.failed').waitFor(SOON)
    expect(await page.locator('#calls .step').textContent()).toBe(
      `Step 2 · namespaces · mutant no-uts${ran.json()[0]!.title}`,
    )
    const failed = page.locator('#calls .check.failed')
    expect(await failed.count()).toBe(ran.json()[0]!.checks.filter(({ ok }) => ok === false).length)
    expect(await failed.locator('p').first().textContent()).not.toBe('')
    expect(noise).toEqual([])
  })

  test('shows a change in the kernel with the first look after it, and lights it up', async ctx => {
    const { url, data } = await startView()
    const { pid } = await background(data, 'web', ['-m', '64m'])
    const limit = readCgroup(pid, 'memoryLimit')
    if (!limit) ctx.skip('no memory controller is mounted')
    const { page, noise } = await open(url)
    const web = article(page, 'web')
    const shown = web.locator('[data-key="cgroup.memory.limit"]')
    await expect.poll(() => shown.textContent(), SOON).toBe('limit 64 MiB')

    writeFileSync(limit!.file, String(48 * 2 ** 20))
    const changed = Date.now()
    await expect.poll(() => shown.textContent(), SOON).toBe('limit 48 MiB')
    // the look that shows it may have been taken between the write and our look at the clock
    const lookedAfter = async () => (await recorded(page)).looks.filter(({ taken }) => taken > changed)
    await expect.poll(async () => (await lookedAfter()).length, SOON).toBeGreaterThan(0)
    const [after, { flashes }] = [await lookedAfter(), await recorded(page)]
    expect(after.filter(({ text }) => !text.includes('limit 48 MiB'))).toEqual([])
    expect(flashes).toContain('flash changed cgroup.memory.limit')

    // a process more
    const inside = start(['exec', 'web', 'sleep', '299'], data)
    // not the process that only joins the namespaces, and starts it
    const sleeping = () =>
      readFileSync(join(dirname(limit!.file), 'cgroup.procs'), 'utf8')
        .trim()
        .split('\n')
        .map(Number)
        .filter(other => unlessGone(() => nulSeparated(`/proc/${other}/cmdline`))?.join(' ') === 'sleep 299')
    await expect.poll(sleeping, SOON).toHaveLength(1)
    const [second = 0] = sleeping()
    const process_ = web.locator(`[data-key="process.${second}.command"]`)
    await expect.poll(() => process_.textContent(), SOON).toBe('sleep 299')
    expect(nsPids(second).at(-1)).toBeGreaterThan(1)
    expect((await recorded(page)).flashes).toContain(`flash new process.${second}.command`)
    process.kill(second, 'SIGKILL')
    await inside.exit
    await process_.waitFor({ ...SOON, state: 'detached' })

    // paused, and going on
    await cgroupOf(pid).freeze(true)
    await web.locator('[data-key="head.frozen"]').waitFor(SOON)
    await cgroupOf(pid).freeze(false)
    await web.locator('[data-key="head.frozen"]').waitFor({ ...SOON, state: 'detached' })
    expect(noise).toEqual([])
  })

  test('has containers side by side, below each other on a phone, until they end', async () => {
    const { url, data } = await startView()
    const hostile = '<img src=x onerror=alert(1)>\u202e\x1b[31m&"'
    await background(data, 'web', [], ['sh', '-c', 'sleep 300; :', hostile])
    const db = await background(data, 'db')
    const { page, noise } = await open(url, { reducedMotion: 'reduce' })
    await article(page, 'db').waitFor(SOON)
    const place = async (name: string) => (await article(page, name).boundingBox())!
    const boxes = [await place('web'), await place('db')]
    expect(boxes[0]!.y).toBe(boxes[1]!.y)
    expect(boxes[1]!.x).toBeGreaterThanOrEqual(boxes[0]!.x + boxes[0]!.width)

    await page.setViewportSize({ width: 390, height: 844 })
    const narrow = [await place('web'), await place('db')]
    expect(narrow[1]!.y).toBeGreaterThanOrEqual(narrow[0]!.y + narrow[0]!.height)
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)

    expect(await page.locator('img').count()).toBe(0)
    expect(await article(page, 'web').textContent()).toContain('<img src=x on')
    await db.remove()
    await article(page, 'db').waitFor({ ...SOON, state: 'detached' })
    expect(await article(page, 'web').isVisible()).toBe(true)
    expect(noise).toEqual([])
  })

  test.each(modesOf(THEMES))('can be read by all, wide and narrow: %s', async colorScheme => {
    const { url, data } = await startView()
    expect((await runMinilab(['step', '2', '--json'], { data })).status).toBe(0)
    await background(data, 'web', ['-m', '64m'])
    for (const viewport of [
      { width: 1920, height: 1080 },
      { width: 390, height: 844 },
    ]) {
      const { page, noise } = await open(url, { colorScheme, viewport, reducedMotion: 'reduce' })
      await article(page, 'web').waitFor(SOON)
      await page.locator('#calls .end').waitFor(SOON)
      expect(await violations(page)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
      expect(noise).toEqual([])
    }
  })

  test('lets who scrolls up read on', async () => {
    const { url, data } = await startView()
    const { page, noise } = await open(url)
    const step = async (number: string) =>
      expect((await runMinilab(['step', number, '--json'], { data })).status).toBe(0)
    await step('3')
    const ends = page.locator('#calls .end')
    await expect.poll(() => ends.count(), SOON).toBe(1)
    const newest = page.getByRole('button', { name: 'newest' })
    expect(await newest.isVisible()).toBe(false)
    await page.evaluate(`calls.scrollTop = 0`)
    await newest.waitFor(SOON)
    await step('1')
    await expect.poll(() => ends.count(), SOON).toBe(2)
    expect(await page.evaluate('calls.scrollTop')).toBe(0)
    await newest.click()
    await newest.waitFor({ ...SOON, state: 'hidden' })
    await step('1')
    await expect.poll(() => ends.count(), SOON).toBe(3)
    expect(await newest.isVisible()).toBe(false)
    expect(noise).toEqual([])
  })

  test.each(['SIGINT', 'SIGKILL'] as const)('a step does not mind that the view ends by %s', async signal => {
    const { url, data, child, exit } = await startView()
    const { page } = await open(url)
    const step = start(['step', '3', '--json', '--keep'], data)
    await article(page, 'step 3 root').waitFor(SOON)
    child.kill(signal)
    await exit
    // the page says so
    await expect.poll(() => page.locator('#now').textContent(), SOON).toContain('minilab view')
    step.child.stdin.end('\n')
    const report = JSON.parse(await text(step.child.stdout)) as Report
    expect(await step.exit).toEqual([0, null])
    expect(report.ok).toBe(true)
    expect((await runMinilab(['step', '1', '--json'], { data })).status).toBe(0)
    expect(readdirSync(join(data, 'containers'))).toEqual([])
    expect(existsSync(join(data, 'ledger')) ? readdirSync(join(data, 'ledger')) : []).toEqual([])
  })
})
