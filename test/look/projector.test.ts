import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { noChromium, violations } from '../support/chromium.ts'
import { isRoot, runMinilab } from '../support/minilab.ts'
import { article, background, open, SOON, start, startView } from './view-support.ts'

const SIZE = { width: 1280, height: 720 }

/** Runs a step to its end: it stays in each stage long enough to be seen, also on a busy machine. */
async function step(data: string, number: number) {
  const ran = await runMinilab(['step', String(number), '--json', '--pace', '3'], { data })
  const [report] = ran.json()
  expect(report?.checks.filter(({ ok }) => !ok)).toEqual([])
  expect(ran).toMatchObject({ status: 0, stderr: '' })
  return report!
}

const now = (page: Page) => page.locator('#now').textContent()

/** The texts that are smaller on the page than so many pixels. */
const smallerThan = async (page: Page, least: number) =>
  page.evaluate(least => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    const small: string[] = []
    while (walker.nextNode()) {
      const { parentElement: element, textContent } = walker.currentNode
      if (!element?.checkVisibility() || !textContent?.trim() || element.closest('.said, noscript')) continue
      const svg = element.closest('svg')
      const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1
      const size = Number.parseFloat(getComputedStyle(element).fontSize) * scale
      if (size < least) small.push(`${size.toFixed(1)} ${textContent}`)
    }
    return small
  }, least)

describe.skipIf(noChromium || !isRoot)(`for a projector${noChromium}`, () => {
  test('the last picture of a step stays until the next begins, also for a page that opens later', async () => {
    const { url, data } = await startView()
    const first = await open(url)
    await step(data, 2)
    await expect.poll(async () => now(first.page), SOON).toMatch(/^Step 2 · namespaces · (\d)\/\1 .* · done$/)
    const late = await open(url)
    for (const { page } of [first, late]) {
      await page.locator('article.ended').first().waitFor(SOON)
      expect(await article(page, 'step 2 namespaces').textContent()).toMatch(
        /first process \d+.*its last picture/,
      )
      expect(await page.locator('#nothing').isVisible()).toBe(false)
    }

    const next = start(['step', '3', '--yes', '--keep'], data)
    await article(first.page, 'step 3 root').waitFor(SOON)
    expect(await article(first.page, 'step 2 namespaces').count()).toBe(0)
    expect(await now(first.page)).toMatch(/^Step 3 · root/)
    next.child.stdin.end('\n')
    await next.exit
    expect([...first.noise, ...late.noise]).toEqual([])
  })

  test('of step 4: the stages of before, the limits first and large, what was read where, and why 19 of 20', async () => {
    const { url, data } = await startView()
    const { page, noise } = await open(url, { viewport: SIZE, reducedMotion: 'reduce' })
    const report = await step(data, 4)
    await expect.poll(async () => now(page), SOON).toBe('Step 4 · limits · 5/5 Stop, and go on · done')

    // what it teaches comes first, and all of it is in sight
    const own = article(page, 'step 4 limits')
    const card = own.locator('figure').first()
    expect(await card.getAttribute('data-card')).toBe('limits')
    expect(await page.locator('article').first().textContent()).toContain('step 4 limits')
    const box = (await card.locator('.drawing').boundingBox())!
    expect(box.y).toBeGreaterThanOrEqual(0)
    expect(box.y + box.height).toBeLessThanOrEqual(SIZE.height)
    expect(await smallerThan(page, 14)).toEqual([])

    // of each of the three what is used is at the left, and the limit at the right
    const words = async (key: string, of = own) =>
      (await of.locator(`[data-key="cgroup.${key}"]`).textContent())!
    const middle = box.x + box.width / 2
    for (const [used, limit] of [
      ['memory.current', 'memory.limit'],
      ['cpu.used', 'cpu.quota'],
      ['pids.current', 'pids.limit'],
    ] as const) {
      expect(await words(used)).not.toMatch(/limit|CPU/)
      expect(await words(limit)).toMatch(/^limit /)
      const [left, right] = await Promise.all(
        [used, limit].map(async key => (await own.locator(`[data-key="cgroup.${key}"]`).boundingBox())!),
      )
      expect(left!.x + left!.width).toBeLessThan(right!.x)
      expect(left!.x).toBeLessThan(middle)
    }

    // the peak is marked on the bar, where its number stands
    expect(await words('memory.peak')).toBe('peak 64 MiB')
    const mark = (await card.locator('.mark').first().boundingBox())!
    expect(mark.x).toBeGreaterThan(box.x + 0.9 * box.width)

    // the tape: which values were read on the host, and short paths
    const sources = await page.locator('#calls .evidence').allTextContents()
    expect(sources.find(line => line.includes('pids.max'))).toMatch(
      /^container 20read on the host: ….*\/pids\.max$/,
    )
    expect(sources.find(line => line.includes('cat /proc/self/cgroup'))).not.toContain('read on the host')
    expect(sources.filter(line => line.includes('/sys/fs/cgroup/'))).toEqual([])
    const full = page.locator('#calls cite', { hasText: 'pids.max' }).first()
    expect(await full.getAttribute('title')).toMatch(/^\/sys\/fs\/cgroup\/.*\/pids\.max$/)

    // back by the button, forth by the key
    await page.getByRole('button', { name: 'the stage before' }).click()
    expect(await now(page)).toBe('Step 4 · limits · 4/5 As many processes as it may have · looking back')
    const stage = (await page.locator('#calls .stage', { hasText: '4/5' }).boundingBox())!
    expect(stage.y).toBeLessThan(SIZE.height / 4)
    const loop = article(page, 'a second container, for a loop that forks')
    expect(await page.locator('article').first().textContent()).toContain('a loop that forks')
    expect(await words('pids.peak', loop)).toMatch(/^peak (1\d|20)$/) // at the last look before it ended
    // the check may have read it before the subshell ended
    const current = report.checks.find(({ id }) => id === 'pids-stopped')!.evidence[1]!.container
    expect(current).toMatch(/^(19|20)$/)
    const why =
      'There were 20. The last was the subshell that ran the loop: when the kernel refused its fork, it ended.'
    expect(await page.locator('#calls .note').allTextContents()).toEqual(current === '19' ? [why] : [])
    for (const at of ['3/5', '2/5', '1/5', '1/5']) {
      await page.keyboard.press('ArrowLeft')
      expect(await now(page)).toContain(at)
    }
    expect(await words('memory.oomKills')).toBe('OOM kills 0')
    await page.keyboard.press('ArrowRight')
    expect(await words('memory.oomKills')).toBe('OOM kills 1')
    for (const _ of [3, 4, 5]) await page.keyboard.press('ArrowRight')
    expect(await now(page)).toBe('Step 4 · limits · 5/5 Stop, and go on · done')

    expect(await violations(page)).toEqual([])
    expect(noise).toEqual([])
  })

  test('a key shows one card on the whole page, and another all of them again', async () => {
    const { url, data } = await startView()
    await background(data, 'web', ['-m', '64m'])
    const { page, noise } = await open(url, { viewport: SIZE, reducedMotion: 'reduce' })
    await article(page, 'web').waitFor(SOON)
    expect(await smallerThan(page, 14)).toEqual([])
    const whole = page.locator('figure.whole')
    for (const [key, card] of [
      ['f', 'processes'],
      ['2', 'limits'],
    ] as const) {
      await page.keyboard.press(key)
      expect(await whole.getAttribute('data-card')).toBe(card)
      const place = (await whole.boundingBox())!
      expect([place.x, place.width]).toEqual([0, SIZE.width])
      const { width, height } = (await whole.locator('svg').boundingBox())!
      expect(Math.max(width / SIZE.width, height / (SIZE.height - 64))).toBeGreaterThan(0.95)
      expect(await page.evaluate('document.elementFromPoint(1270, 700).closest("figure")?.className')).toBe(
        'whole',
      )
    }
    expect(await smallerThan(page, 14)).toEqual([])
    await page.keyboard.press('Escape')
    expect(await whole.count()).toBe(0)
    await page.getByRole('button', { name: 'namespaces: full screen' }).click()
    expect(await whole.getAttribute('data-card')).toBe('namespaces')
    await page.keyboard.press('f')
    expect(await whole.count()).toBe(0)
    expect(noise).toEqual([])
  })

  test('the line on top is about what is shown', async () => {
    const { url, data } = await startView()
    const { page, noise } = await open(url)
    await step(data, 1)
    await expect.poll(async () => now(page), SOON).toMatch(/^Step 1 · cli .* · done$/)
    expect(await page.locator('#score').textContent()).toMatch(/hold/)
    const { remove } = await background(data, 'web')
    await expect.poll(async () => now(page), SOON).toBe('Container web')
    expect(await page.locator('#score').textContent()).toBe('')
    expect(await page.locator('article').count()).toBe(1)
    await page.keyboard.press('ArrowLeft')
    expect(await now(page)).toMatch(/^Step 1 .* · looking back$/)
    expect(await article(page, 'web').count()).toBe(0)
    await page.keyboard.press('ArrowRight')
    expect(await now(page)).toBe('Container web')
    await remove()
    await expect.poll(async () => now(page), SOON).toMatch(/^Step 1 .* · done$/)
    expect(noise).toEqual([])
  })

  test('the escape ladder is drawn chapter by chapter, and its signs are explained', async () => {
    const { url, data } = await startView()
    const { page, noise } = await open(url, { viewport: SIZE })
    const ran = await runMinilab(['escape', '6', '--json'], { data })
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    const [{ cells } = { cells: [] }] = ran.json() as unknown as { cells: { stopped: boolean | null }[] }[]
    await expect.poll(async () => now(page), SOON).toBe('The escape ladder · as root · done')
    expect(await page.locator('#ladder .legend > span').allTextContents()).toEqual([
      '✘it got through',
      '✔the kernel stopped it',
      '–cannot be told here',
    ])
    const signs = cells.map(({ stopped }) => (stopped === null ? '–' : stopped ? '✔' : '✘'))
    expect(signs.length).toBeGreaterThan(10)
    expect(await page.locator('#ladder td').allTextContents()).toEqual(signs)
    expect(await page.locator('#ladder thead').textContent()).toBe('chapter6network')
    const last = (await page.locator('#ladder tr').last().boundingBox())!
    expect(last.y + last.height).toBeLessThanOrEqual(SIZE.height)
    expect(await smallerThan(page, 14)).toEqual([])
    expect(await violations(page)).toEqual([])
    expect(noise).toEqual([])
  })
})

describe('--pace', () => {
  test('stays so long at the end of each stage; the time of the step is without it', async () => {
    const began = performance.now()
    const ran = await runMinilab(['step', '1', '--json', '--pace', '1.5'])
    const took = performance.now() - began
    expect(ran).toMatchObject({ status: 0, stderr: '' })
    const { stages } = (await import('../../chapters/1-cli/step.ts')).step
    expect(took - ran.json()[0]!.ms).toBeGreaterThan(1500 * stages.length)
  })

  test.each(['0', '0.4', '301', '-5', '1e1', 'slow', ''])('of %j is refused in one line', async pace => {
    const ran = await runMinilab(['step', '1', `--pace=${pace}`])
    expect(ran).toEqual(
      expect.objectContaining({
        status: 2,
        stdout: '',
        stderr: `minilab: --pace "${pace}" is no such time: give a number of seconds from 0.5 to 300, such as 10\n`,
      }),
    )
  })

  test.each([['--dry-run'], ['--spec'], ['--without', 'uts']])('does not go with %s', async (...flags) => {
    const ran = await runMinilab(['step', '2', '--pace', '2', ...flags])
    expect(ran).toMatchObject({ status: 2, stdout: '', stderr: expect.stringMatching(/^minilab: .*: .*\n$/) })
  })
})
