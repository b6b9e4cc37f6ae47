// The book as a site, in a real Chromium: by http and from the disk, in both themes, at the width of a phone, by keyboard alone.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { BrowserContextOptions, Locator, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { drawing } from '../../lib/book/drawing.ts'
import { pages, parse } from '../../lib/book/pages.ts'
import { serve } from '../../lib/book/serve.ts'
import { site } from '../../lib/book/site.ts'
import { inTheWay, writeSite } from '../../lib/book/write-site.ts'
import { noChromium, openBrowser, quietPage, violations } from '../support/chromium.ts'
import { modesOf, runMinilab, userFolder, thorough } from '../support/minilab.ts'
import { EVIL, fixture } from './fixture.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
const PHONE = { width: 360, height: 740 }

const work = mkdtempSync(join(tmpdir(), 'minilab-site-'))
afterAll(() => rmSync(work, { recursive: true }))

/** The real book, and the fixture with all that Markdown has: served, and written to the disk. */
const BOOKS = { book: pages(), fixture }
const urls = {} as Record<keyof typeof BOOKS, string>
beforeAll(async () => {
  for (const [name, pages] of Object.entries(BOOKS) as [keyof typeof BOOKS, typeof fixture][]) {
    const files = site(pages)
    writeSite(files, join(work, name))
    const { url, close } = await serve(() => files, 0)
    urls[name] = url
    afterAll(close)
  }
})
const onDisk = (name: keyof typeof BOOKS) => `file://${join(work, name)}/`

const every = Object.entries(BOOKS).flatMap(([book, pages]) =>
  ['index', ...pages.map(({ name }) => name)].map(name => ({ book: book as keyof typeof BOOKS, name })),
)

/** One of each kind: a cover, a chapter, and the fixture, which has all that Markdown has. CI looks at every page. */
const KINDS = every.filter(({ book, name }) =>
  book === 'fixture' ? name !== '0-start' : /index|3-root/.test(name),
)

/** The fixture is small; what holds for it CI looks at in the whole book, too. */
const SAMPLE = ['fixture', ...thorough(['book'] as const)] as const

/** A page of its own, and how to go to another: expects that nothing was complained of. */
async function reader(options: BrowserContextOptions = {}) {
  const { page, noise } = await quietPage(await openBrowser(), options)
  onTestFinished(() => expect(noise).toEqual([]))
  return page
}

const overflow = (page: Page) =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')

describe.skipIf(noChromium)(`in Chromium${noChromium}`, () => {
  describe.each(modesOf(['light', 'dark'] as const))('%s', colorScheme => {
    test.each([...KINDS, ...thorough(every.filter(page => !KINDS.includes(page)))])(
      '$book: $name',
      async ({ book, name }) => {
        const page = await reader({ colorScheme })
        await page.goto(`${urls[book]}${name}.html`)
        expect(await page.getByRole('heading', { level: 1 }).count()).toBe(1)
        expect(await violations(page)).toEqual([])
        expect(await overflow(page)).toBe(0)
        await page.setViewportSize(PHONE)
        expect(await overflow(page)).toBe(0)
        if (colorScheme === 'light') expect(await violations(page)).toEqual([]) // of the other colours nothing is new here
        const ink = 'getComputedStyle(document.body).backgroundColor'
        expect(await page.evaluate(ink)).toMatch(
          colorScheme === 'dark' ? /rgb\((\d\d?, ){2}/ : /rgb\((2\d\d, ){2}/,
        )
      },
    )
  })

  test.each(SAMPLE)('from the disk: every page of the %s', async book => {
    const page = await reader()
    for (const name of [...every.filter(page => page.book === book).map(({ name }) => name), 'whole']) {
      await page.goto(`${onDisk(book)}${name}.html`)
      expect(await page.evaluate('getComputedStyle(document.querySelector(".skip")).position')).toBe('fixed') // its style came
      expect(await page.evaluate('document.documentElement.className')).toBe('js') // and its script
      const fonts = await page.evaluate<string[]>(`document.fonts.ready.then(fonts =>
        [...fonts].filter(({ status }) => status === 'loaded').map(({ family }) => family))`)
      expect(fonts, name).toContain('Source Serif 4') // and its font
    }
  })

  test('the first page with all that it loads is at most 150 KB', async () => {
    const page = await reader()
    const answers: Promise<number>[] = []
    page.on('response', response => void answers.push(response.body().then(body => body.length)))
    await page.goto(urls.book)
    await page.evaluate('document.fonts.ready')
    await page.waitForLoadState('networkidle')
    const sizes = await Promise.all(answers)
    expect(sizes.length).toBeGreaterThanOrEqual(4) // page, style, script, font
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(150_000)
  })

  test('nothing moves when the font comes: what stands in for it has its width and height', async () => {
    const page = await reader()
    let come = () => {}
    const asked = new Promise<void>(resolve => (come = resolve))
    await page.route('**/*.woff2', async route => (await asked, route.continue()))
    await page.goto(`${urls.book}3-root.html`, { waitUntil: 'domcontentloaded' })
    const height = () => page.evaluate<number>(`document.querySelector('article').offsetHeight`)
    const before = await height()
    come()
    await page.evaluate('document.fonts.ready')
    expect(Math.abs((await height()) / before - 1)).toBeLessThan(0.02)
  })

  test('every link within the site leads to a page, and to a place on it', async () => {
    const page = await reader()
    const targets = new Set<string>()
    for (const { book, name } of every) {
      await page.goto(`${urls[book]}${name}.html`)
      const links = page.locator('a[href]')
      const hrefs = await links.evaluateAll(links =>
        links.map(link => (link as unknown as { href: string }).href),
      )
      for (const href of hrefs) if (href.startsWith('http://127.0.0.1')) targets.add(href)
    }
    expect(targets.size).toBeGreaterThan(50)
    const sites = { book: site(BOOKS.book), fixture: site(BOOKS.fixture) }
    for (const target of targets) {
      const { pathname, hash } = new URL(target)
      const book = target.startsWith(urls.book) ? 'book' : 'fixture'
      const html = sites[book].get(pathname.slice(1) || 'index.html')?.toString()
      expect(html, target).toBeDefined()
      if (hash) expect(html, target).toContain(`id="${decodeURIComponent(hash.slice(1))}"`)
    }
  })

  test('a caption leads to the source that it names, in the same site', async () => {
    const page = await reader()
    await page.goto(`${urls.book}3-root.html`)
    const caption = page.locator('figcaption a', { hasText: 'lib/container/parts/root.ts · pivotRoot' })
    await caption.first().click()
    await page.waitForURL('**/source.lib.container.parts.root.ts.html#pivotRoot')
    const source = readFileSync(join(import.meta.dirname, '../../lib/container/parts/root.ts'), 'utf8')
    expect(await page.locator('pre').textContent()).toBe(source)
    expect(await page.locator('[id="pivotRoot"]').textContent()).toMatch(/^(export )?function pivotRoot/)
    expect(await violations(page)).toEqual([])
    await page.setViewportSize(PHONE)
    expect(await overflow(page)).toBe(0)
  })

  test('a caption with two sources leads to each of them', () => {
    const [one, two] = ['lib/container/state/state.ts#running', 'lib/container/parts/root.ts#pivotRoot']
    const files = site([parse('0-start', `# A\n\n\`\`\`ts ${one}:first…last | more | ${two}\nx\n\`\`\`\n`)])
    const [, caption] = /<figcaption>(.*)<\/figcaption>/.exec(String(files.get('0-start.html'))) ?? []
    const link = (path: string, symbol: string, more = '') =>
      `<a href="source.${path.replaceAll('/', '.')}.html#${symbol}">${path} · ${symbol}${more}</a>`
    expect(caption).toBe(
      `${link('lib/container/state/state.ts', 'running', ', in part')}; ${link('lib/container/parts/root.ts', 'pivotRoot')}`,
    )
    expect(files.get('source.lib.container.parts.root.ts.html')).toContain('id="pivotRoot"')
  })

  test('no link leads out of the checkout, or to a file that is not there', () => {
    const links =
      '[a](../../../etc/passwd) [b](../lib/none.ts) [c](../lib)\n\n```ts ../../etc/passwd\nx\n```\n'
    const files = site([parse('0-start', `# A\n\n${links}`)])
    expect([...files.keys()].filter(path => path.startsWith('source'))).toEqual([])
    expect(String(files.get('0-start.html')).match(/class="source"/g)).toHaveLength(3)
  })

  test('text of strangers stays text', async () => {
    const page = await reader()
    let dialogs = 0
    page.on('dialog', dialog => {
      dialogs++
      void dialog.dismiss()
    })
    await page.goto(`${urls.fixture}3-root.html`)
    expect(await page.locator('img, iframe, main script').count()).toBe(0)
    expect(await page.title()).toContain('Every feature')
    expect(await page.locator('main').innerText()).toContain("<script>alert('raw')</script>")
    expect(await page.content()).not.toContain('nobody sees this')
    await page.keyboard.press('/')
    await page.keyboard.type('evil.example')
    await page.getByRole('status').filter({ hasText: 'place' }).waitFor()
    expect(await page.locator('#found img').count()).toBe(0)
    expect(await page.locator('#found').innerText()).toContain('<img src=http://evil.example/x')
    expect(dialogs).toBe(0)
  })

  test('a search that cannot be loaded says so, and is loaded again', async () => {
    const { page, noise } = await quietPage(await openBrowser())
    await page.route('**/search-index.js', route => route.abort('connectionfailed'))
    await page.goto(`${urls.book}1-cli.html`)
    await page.keyboard.press('/')
    await page.keyboard.type('umount2')
    await page.getByRole('status').filter({ hasText: 'The search cannot be loaded yet' }).waitFor()
    await page.unrouteAll()
    await page.getByRole('status').filter({ hasText: 'place' }).waitFor()
    expect(await page.locator('#found a').count()).toBeGreaterThan(0)
    expect(noise.filter(line => line.startsWith('exception'))).toEqual([])
  })

  describe.each(['the disk', ...thorough(['http'])])('search, by %s', from => {
    const base = (book: keyof typeof BOOKS) => (from === 'http' ? urls[book] : onDisk(book))

    test('by keyboard alone', async () => {
      const page = await reader()
      await page.goto(`${base('book')}1-cli.html`)
      const focused = page.locator(':focus')
      await page.keyboard.press('/')
      expect(await focused.getAttribute('id')).toBe('query')
      expect(await focused.inputValue()).toBe('')
      await page.keyboard.type('umount2')
      await page.locator('#found a').first().waitFor()
      const results = page.locator('#found a')
      expect(await page.getByRole('status').first().innerText()).toMatch(/^\d+ places?/)

      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('ArrowDown')
      expect(await results.nth(1).evaluate((link, now) => link === now, await focused.elementHandle())).toBe(
        true,
      )
      await page.keyboard.press('ArrowUp')
      await page.keyboard.press('ArrowUp')
      expect(await focused.getAttribute('id')).toBe('query')
      await page.keyboard.press('Escape')
      expect(await page.locator('#found').isVisible()).toBe(false)
      expect(await focused.getAttribute('id')).toBe('query')
      expect(await focused.inputValue()).toBe('umount2')

      await page.keyboard.type(' pivot_root')
      await page.locator('#found a').first().waitFor()
      await page.keyboard.press('Enter') // the first of them
      await page.waitForURL(/3-root\.html#pivot_root-nothing-left-to-walk-to$/)
      const heading = page.locator('#pivot_root-nothing-left-to-walk-to')
      await expect.poll(() => heading.evaluate(at => at.getBoundingClientRect().top)).toBeLessThan(200)
      expect(await heading.evaluate(at => at.getBoundingClientRect().top)).toBeGreaterThan(40) // not behind the bar
    })

    test('finds nothing, and says so; a place on the same page closes it', async () => {
      const page = await reader()
      await page.goto(`${base('fixture')}appendix.html`)
      await page.getByRole('searchbox').fill('xyzzy')
      await page.getByRole('status').filter({ hasText: 'Nothing found' }).waitFor()
      await page.getByRole('searchbox').fill('zebra')
      await page.getByRole('status').filter({ hasText: '1 place' }).waitFor()
      expect(await violations(page)).toEqual([])
      await page.locator('#found a').click()
      await page.waitForURL(/appendix\.html#appendix$/)
      expect(await page.locator('#found').isVisible()).toBe(false)
    })
  })

  describe('drawings', () => {
    /** What a reader sees of a drawing: where its rectangles and words are on the screen, in pixels. */
    const measured = (drawing: Locator) =>
      drawing.evaluate(svg => {
        const place = (element: Element) => {
          const { left, right, top, bottom } = element.getBoundingClientRect()
          return {
            left,
            right,
            top,
            bottom,
            text: element.textContent,
            isNote: element.matches('.note, .title'),
          }
        }
        return {
          whole: place(svg),
          rects: [...svg.querySelectorAll('rect')].map(place),
          texts: [...svg.querySelectorAll('text')].map(place),
          type: 13.3 * (svg.querySelector('text')?.getScreenCTM()?.a ?? 0),
        }
      })
    type Place = Awaited<ReturnType<typeof measured>>['whole']
    const isIn = (inner: Place, outer: Place) =>
      inner.left >= outer.left &&
      inner.right <= outer.right &&
      inner.top >= outer.top &&
      inner.bottom <= outer.bottom

    test.each([390, ...thorough([1280])])(
      'of the book, %i pixels wide: words stay in their boxes, and can be read',
      async width => {
        const page = await reader({ viewport: { width, height: 900 } })
        let drawings = 0
        for (const { name } of BOOKS.book) {
          await page.goto(`${urls.book}${name}.html`)
          for (const drawing of await page.locator('.canvas svg').all()) {
            drawings++
            const { whole, rects, texts, type } = await measured(drawing)
            const label = await drawing.getAttribute('aria-label')
            expect(label).toMatch(/^[A-Zm].*\.$/)
            expect(type, label!).toBeGreaterThanOrEqual(11)
            for (const text of texts) {
              expect(isIn(text, whole), `${label}: ${text.text}`).toBe(true)
              if (rects.length)
                expect(
                  rects.some(rect => isIn(text, rect)),
                  `${label}: ${text.text}`,
                ).toBe(!text.isNote)
              const overlaps = texts.filter(
                ({ left, right, top }) =>
                  top === text.top && left < text.right - 0.1 && right > text.left + 0.1,
              )
              expect(overlaps, label!).toHaveLength(1)
            }
          }
        }
        expect(drawings).toBeGreaterThan(10)
      },
    )

    test('a rectangle, a line, its head and words; the rest of its words is text', async () => {
      const page = await reader()
      await page.goto(`${urls.fixture}3-root.html`)
      expect(await page.locator('figure.drawing pre').innerText()).toBe('no box')
      const drawing = page.getByRole('img', { name: `A box ${EVIL}` })
      const count = (selector: string) => drawing.locator(selector).count()
      expect([await count('rect'), await count('path.plain'), await count('path.head')]).toEqual([1, 1, 1])
      expect(await drawing.locator('path.plain').getAttribute('d')).toBe('M60 27H80')
      expect(await drawing.locator('text').first().textContent()).toBe('box')
      expect(await drawing.locator('text').last().textContent()).toBe(EVIL)
    })

    test('its strokes are drawn as lines that are as long as they are', () => {
      const path = (...lines: string[]) =>
        [...drawing(lines.join('\n'), '').text.matchAll(/class="(\w+)" d="([^"]+)"/g)].map(([, look, d]) => [
          look,
          d,
        ])
      expect(path('───', '───')).toEqual([['plain', 'M0 9H24M0 27H24']])
      expect(path('│', '│', '║')).toEqual([
        ['plain', 'M4 0V36'],
        ['heavy', 'M4 36V54'],
      ])
      expect(path('└─')).toEqual([['plain', 'M4 0V5M8 9H16M4 5Q4 9 8 9']])
      expect(path('─┊─')).toEqual([
        ['plain', 'M0 9H24'],
        ['dashed', 'M12 0V18'],
      ])
      expect(path('─▶')).toEqual([
        ['plain', 'M0 9H8'],
        ['head', 'M16 9L8 5L8 13Z'],
      ])
      expect(path('─▶│')).toEqual([
        ['plain', 'M0 9H11M20 0V18'],
        ['head', 'M19 9L11 5L11 13Z'],
      ])
      expect(path('┌──┐', '└──┘')).toEqual([])
      expect(path('┌─ a b ─┐', '└───────┘')).toEqual([])
    })

    test('at the width of a phone what is wider says that it scrolls', async () => {
      const page = await reader({ viewport: { width: 320, height: 640 } })
      await page.goto(`${urls.fixture}3-root.html`)
      for (const box of ['.canvas', '.wide']) {
        const hint = await page
          .locator(box)
          .first()
          .evaluate(box => getComputedStyle(box, '::after').content)
        expect(hint, box).toContain('scroll')
      }
      await page.goto(`${urls.fixture}0-start.html`)
      expect(await page.locator('.scrolls').count()).toBe(0)
    })
  })

  test('copy buttons give the code, and of a recording the command', async () => {
    const page = await reader({ permissions: ['clipboard-read', 'clipboard-write'] })
    await page.goto(`${urls.fixture}3-root.html`)
    const copied = async (figure: string) => {
      const button = page.locator(figure).getByRole('button')
      await button.click()
      await button.filter({ hasText: 'Copied' }).waitFor()
      return page.evaluate('navigator.clipboard.readText()')
    }
    expect(await copied('figure.console')).toBe('sudo ./minilab step 3 --yes --plain')
    expect(await copied('figure.ts')).toMatch(
      /^const hostname: string = `a\$\{1\}` .*\n…\nexport const .*'x'$/,
    )
    expect(await copied('figure.sh')).toBe('sudo minilab step 3   # without a source')
    expect(await page.locator('figure.drawing').getByRole('button').count()).toBe(0)
    expect(await page.locator('figure.ts figcaption').innerText()).toBe(
      'lib/container/parts/root.ts · root, in part',
    )
  })

  test("the colours: the system's, then those that were chosen, on every page and the next time", async () => {
    const page = await reader({ colorScheme: 'light' })
    await page.goto(`${urls.book}0-start.html`)
    const paper = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
    const button = page.getByRole('button', { name: 'Dark colours' })
    const light = await paper()
    expect(await button.getAttribute('aria-pressed')).toBe('false')
    await page.emulateMedia({ colorScheme: 'dark' })
    const dark = await paper()
    expect(dark).not.toBe(light)
    await expect.poll(() => button.getAttribute('aria-pressed')).toBe('true')
    await button.click()
    expect(await paper()).toBe(light)
    await page.reload()
    expect(await paper()).toBe(light)
    expect(await button.getAttribute('aria-pressed')).toBe('false')
    await page.goto(`${urls.book}3-root.html`)
    expect(await paper()).toBe(light)
    await button.press('Enter')
    expect(await paper()).toBe(dark)
  })

  test.each(SAMPLE)('from the cover through the whole %s and back, page by page', async book => {
    const page = await reader()
    await page.goto(urls[book])
    await page.getByRole('link', { name: 'Begin to read' }).click()
    const names = BOOKS[book].map(({ name }) => name)
    for (const [i, name] of names.entries()) {
      await page.waitForURL(`**/${name}.html`)
      const current = page.locator('nav#contents [aria-current="page"]')
      expect(await current.innerText()).toContain(BOOKS[book][i]!.title.replace(/^\d+\. /, ''))
      const next = page.locator('[rel="next"]')
      if (name !== names.at(-1)) await next.click()
      else expect(await next.count()).toBe(0)
    }
    for (const name of names.toReversed().slice(1)) {
      await page.locator('[rel="prev"]').click()
      await page.waitForURL(`**/${name}.html`)
    }
    await page.locator('[rel="prev"]').click()
    await page.waitForURL('**/index.html')
  })

  test('← and → turn the pages, but not while something else moves', async () => {
    const page = await reader({ viewport: PHONE })
    await page.goto(`${urls.fixture}0-start.html`)
    await page.keyboard.press('ArrowRight')
    await page.waitForURL('**/3-root.html')
    await page.locator('.canvas').focus()
    await page.keyboard.press('ArrowRight')
    await page.getByRole('searchbox').fill('word')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('Escape')
    expect(page.url()).toContain('3-root')
    await page.locator('main').focus()
    await page.keyboard.press('ArrowLeft')
    await page.waitForURL('**/0-start.html')
  })

  test('on a wide screen the sections of the page stand beside its text', async () => {
    const page = await reader({ viewport: { width: 1920, height: 1080 } })
    await page.goto(`${urls.book}3-root.html`)
    const outline = (await page.locator('nav#contents ol ol').boundingBox())!
    const boxes = await page
      .locator('article > *')
      .evaluateAll(all => all.map(at => at.getBoundingClientRect().right))
    expect(Math.max(...boxes)).toBeLessThan(outline.x)
    expect(outline.x + outline.width).toBeLessThan(1920)
  })

  test('the headings of a page: in the contents, with the one that is read, and as anchors', async () => {
    const page = await reader()
    await page.goto(`${urls.book}3-root.html`)
    const titles = BOOKS.book[3]!.headings.filter(({ level }) => level === 2).map(({ text }) => text)
    expect(await page.locator('nav#contents ol ol a').allInnerTexts()).toEqual(titles)
    await page.locator('nav#contents').getByRole('link', { name: titles[3]! }).click()
    await page.locator('nav#contents [aria-current="location"]', { hasText: titles[3]! }).waitFor()
    await page.keyboard.press('End')
    await page.locator('nav#contents [aria-current="location"]', { hasText: titles.at(-1)! }).waitFor()
    const anchor = page.getByRole('link', { name: `Link to “${titles[1]!}”` })
    await anchor.focus()
    await anchor.press('Enter')
    await page.waitForURL(
      `**/3-root.html#${BOOKS.book[3]!.headings.find(({ text }) => text === titles[1])!.id}`,
    )
  })

  test('on a phone the contents open and close, and boxes scroll by keyboard', async () => {
    const page = await reader({ viewport: PHONE, hasTouch: true })
    await page.goto(`${urls.fixture}3-root.html`)
    const contents = page.locator('nav#contents')
    const button = page.getByRole('button', { name: 'Contents' })
    expect(await contents.isVisible()).toBe(false)
    await button.tap()
    expect(await contents.isVisible()).toBe(true)
    expect(await button.getAttribute('aria-expanded')).toBe('true')
    expect(await violations(page)).toEqual([])
    await page.keyboard.press('Escape')
    expect(await contents.isVisible()).toBe(false)
    const drawing = page.locator('.canvas')
    await drawing.focus()
    await page.keyboard.press('ArrowRight')
    await expect.poll(() => drawing.evaluate(box => box.scrollLeft)).toBeGreaterThan(0)
  })

  test('the first Tab leads past all navigation; every stop can be seen', async () => {
    const page = await reader({ reducedMotion: 'reduce' })
    await page.goto(`${urls.fixture}3-root.html`)
    await page.keyboard.press('Tab')
    expect(await page.locator(':focus').innerText()).toBe('Skip to the text')
    await page.keyboard.press('Enter')
    expect(await page.locator(':focus').getAttribute('id')).toBe('main')
    for (let stop = 0; stop < 20; stop++) {
      await page.keyboard.press('Tab')
      const focus = page.locator(':focus')
      if ((await focus.count()) === 0) break // through: the browser's own controls
      expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid')
      expect(await page.evaluate('getComputedStyle(document.activeElement).opacity')).toBe('1')
    }
  })

  test('without scripts it can be read, and nothing is offered that does not work', async () => {
    const page = await reader({ javaScriptEnabled: false, viewport: PHONE })
    await page.goto(`${urls.book}3-root.html`)
    expect(await page.locator('nav#contents').isVisible()).toBe(true)
    expect(await page.getByRole('button').count()).toBe(0)
    expect(await page.getByRole('searchbox').count()).toBe(0)
    expect(await page.locator('article').isVisible()).toBe(true)
  })

  test('on paper: the text alone, black on white, code wrapped', async () => {
    const page = await reader({ colorScheme: 'dark', viewport: { width: 700, height: 1000 } })
    await page.goto(`${urls.fixture}3-root.html`)
    await page.emulateMedia({ media: 'print' })
    for (const gone of ['header', 'nav#contents', '.turn', '.copy', '.anchor'])
      expect(await page.locator(gone).first().isVisible(), gone).toBe(false)
    expect(await page.evaluate('getComputedStyle(document.body).backgroundColor')).toBe('rgb(255, 255, 255)')
    const code = page.locator('figure.ts pre')
    expect(await code.evaluate(box => box.scrollWidth - box.clientWidth)).toBe(0)
    expect((await page.pdf()).subarray(0, 5).toString()).toBe('%PDF-')
  })

  test.each(SAMPLE)('the whole %s on one page, to print', async book => {
    const page = await reader()
    await page.goto(`${urls[book]}index.html`)
    await page.getByRole('link', { name: 'The whole book' }).click()
    await page.waitForURL('**/whole.html')
    expect(await page.getByRole('heading', { level: 1 }).count()).toBe(BOOKS[book].length)
    expect(await violations(page)).toEqual([])
    const ids = await page.locator('[id]').evaluateAll(all => all.map(({ id }) => id))
    expect(new Set(ids).size).toBe(ids.length)
    const links = await page
      .locator('article a[href^="#"]')
      .evaluateAll(all => all.map(at => at.getAttribute('href')!))
    expect(links.length).toBeGreaterThan(3)
    for (const link of links) expect(ids).toContain(decodeURIComponent(link.slice(1)))
    expect(await page.locator('article a[href^="3-root.html"]').count()).toBe(0)

    await page.emulateMedia({ media: 'print' })
    const styles = await page
      .locator('article')
      .evaluateAll(all => all.map(at => getComputedStyle(at).getPropertyValue('page')))
    expect(styles).toEqual(BOOKS[book].map((_, i) => `sheets-${i}`))
    const breaks = await page
      .locator('figure')
      .evaluateAll(all => all.map(at => getComputedStyle(at).breakInside))
    expect(new Set(breaks)).toEqual(new Set(['avoid']))
    await page.setViewportSize({ width: 658, height: 1000 }) // A4 between its margins
    const cut = await page
      .locator('article :is(pre, .canvas, .wide)')
      .evaluateAll(all => all.filter(at => at.scrollWidth > at.clientWidth + 1).map(at => at.textContent))
    expect(cut).toEqual([])
  })

  test('nothing moves for those who asked for that', async () => {
    const page = await reader({ reducedMotion: 'reduce' })
    await page.goto(`${urls.book}3-root.html`)
    const moving = `[...document.querySelectorAll('*')].map(at => getComputedStyle(at))
      .filter(style => style.transitionDuration !== '0s' || style.animationName !== 'none').length`
    expect(await page.evaluate(moving)).toBe(0)
    await page.emulateMedia({ reducedMotion: 'no-preference' })
    expect(await page.evaluate(moving)).toBeGreaterThan(0)
  })
})

describe('the server', () => {
  const ask = async (
    url: string,
    options: { method?: string; headers?: Record<string, string>; path?: string } = {},
  ) => {
    const sent = request(url, options).end()
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage]
    return { status: response.statusCode, headers: response.headers, body: await text(response) }
  }

  test('gives the pages, and what they need, with their types', async () => {
    // made before the request: on a busy machine this takes longer than the server keeps a connection
    const cover = site(BOOKS.book).get('index.html')
    expect(await ask(urls.book)).toMatchObject({ status: 200, body: cover })
    for (const [path, type] of [
      ['3-root.html?x=1', 'text/html; charset=utf-8'],
      ['assets/book.css', 'text/css; charset=utf-8'],
      ['assets/search.js', 'text/javascript; charset=utf-8'],
      ['assets/source-serif-4.woff2', 'font/woff2'],
    ] as const) {
      const { status, headers } = await ask(urls.book + path)
      expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type })
      expect(headers['content-security-policy']).toContain("default-src 'none'")
      expect(headers['x-content-type-options']).toBe('nosniff')
    }
  })

  test('HEAD has no body; other methods are refused', async () => {
    const { status, headers, body } = await ask(urls.book, { method: 'HEAD' })
    expect({ status, body }).toEqual({ status: 200, body: '' })
    expect(Number(headers['content-length'])).toBeGreaterThan(1000)
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect(await ask(urls.book, { method })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } })
  })

  test.each(['evil.example', '127.0.0.1', 'localhost:1', '127.0.0.1.evil.example:80'])(
    'refuses the name %j',
    async host => expect(await ask(urls.book, { headers: { host } })).toMatchObject({ status: 403 }),
  )

  test('answers to localhost as well', async () => {
    const { port } = new URL(urls.book)
    expect(await ask(urls.book, { headers: { host: `localhost:${port}` } })).toMatchObject({ status: 200 })
  })

  test.each(['/../package.json', '/..%2fpackage.json', '/assets/../../README.md', '/none', '//', '/assets/'])(
    '%s is not there',
    async path => expect(await ask(urls.book, { path })).toMatchObject({ status: 404 }),
  )

  test('listens on loopback only', () => {
    const port = Number(new URL(urls.book).port).toString(16).toUpperCase().padStart(4, '0')
    const listening = ['tcp', 'tcp6']
      .flatMap(table => readFileSync(`/proc/self/net/${table}`, 'utf8').split('\n'))
      .map(line => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === '0A' && local?.endsWith(`:${port}`))
    expect(listening.map(([, local]) => local)).toEqual([`0100007F:${port}`])
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('--serve prints its URL; %s ends it quietly', async signal => {
    const child = spawn(process.execPath, [ENTRY, 'book', '--serve', '--port', '0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = once(child, 'exit')
    const errors = text(child.stderr)
    let said = ''
    child.stdout.on('data', (part: Buffer) => (said += part.toString()))
    await expect.poll(() => said, { timeout: 60_000 }).toMatch(/http:\/\/127\.0\.0\.1:\d+\/\n.*Ctrl-C/)
    const [url = ''] = /http:\S+/.exec(said) ?? []
    expect(await ask(url)).toMatchObject({ status: 200 })
    child.kill(signal)
    expect(await ended).toEqual([0, null])
    expect(await errors).toBe('')
  })

  test('a port in use is one line', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { status, stdout, stderr } = await runMinilab(['book', '--serve', '--port', String(port)])
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(new RegExp(`^minilab: port ${port} is in use: choose another with --port.*\n$`))
  })
})

describe('--out', () => {
  const tree = (folder: string) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter(file => /\.\w+$/.test(file))
      .toSorted()
  const out = (folder: string) => runMinilab(['book', '--out', folder])

  test('writes the site, also in place of an earlier one or into an empty folder, and nothing else', async () => {
    const parent = userFolder()
    const folder = join(parent, 'a/b')
    const { status, stdout, stderr } = await out(folder)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toContain(`${folder}/index.html`)
    const files = site(pages())
    expect(tree(folder)).toEqual([...files.keys()].toSorted())
    for (const [path, content] of files)
      expect(readFileSync(join(folder, path)).equals(Buffer.from(content)), path).toBe(true)

    writeFileSync(join(folder, 'index.html'), readFileSync(join(folder, 'index.html'), 'utf8') + 'old')
    symlinkSync('b', join(parent, 'a/link'))
    expect(await out(join(parent, 'a/link'))).toMatchObject({ status: 0, stderr: '' })
    expect(readFileSync(join(folder, 'index.html'), 'utf8')).toBe(files.get('index.html'))
    mkdirSync(join(parent, 'empty'))
    expect(await out(join(parent, 'empty/'))).toMatchObject({ status: 0, stderr: '' })
    expect(readdirSync(join(parent, 'a')).toSorted()).toEqual(['b', 'link'])
    expect(readdirSync(parent).toSorted()).toEqual(['a', 'empty'])
  })

  test.each([
    ['a file of somebody', (folder: string) => writeFileSync(join(folder, 'notes.txt'), 'x')],
    ['an index.html of somebody', (folder: string) => writeFileSync(join(folder, 'index.html'), '<p>mine')],
    ['a folder', (folder: string) => mkdirSync(join(folder, '.git'))],
    [
      'an earlier output and a file of somebody',
      (folder: string) => {
        writeSite(site(fixture), join(folder, 'x'))
        for (const name of ['index.html', 'assets']) symlinkSync(join(folder, 'x', name), join(folder, name))
      },
    ],
  ])('leaves alone: %s', async (_, fill) => {
    const folder = userFolder()
    fill(folder)
    const before = readdirSync(folder, { recursive: true }).toSorted()
    const { status, stdout, stderr } = await out(folder)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(
      /^minilab: \S+ is not part of the book: give an empty folder, or one that does not exist yet\n$/,
    )
    expect(readdirSync(folder, { recursive: true }).toSorted()).toEqual(before)
  })

  test.each(['', '.', './'])('does not replace the folder that one is in: %j', async folder => {
    const { status, stdout, stderr } = await out(folder)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toBe('minilab: the book cannot replace your current folder: give another folder\n')
  })

  test('a page that the book no longer has does not stand in the way', () => {
    const folder = join(userFolder(), 'site')
    writeSite(site(pages()), folder)
    const fewer = site(fixture)
    expect(inTheWay(folder, () => fewer.keys())).toBeUndefined()
    writeSite(fewer, folder)
    expect(tree(folder)).toEqual([...fewer.keys()].toSorted())
  })

  test('what cannot be written whole is not written at all', () => {
    const parent = userFolder()
    const folder = join(parent, 'site')
    const files = site(fixture)
    writeSite(files, folder)
    const broken = new Map([
      ...files,
      ['index.html', 'new'],
      [`assets/${'x'.repeat(300)}`, 'too long a name'],
    ])
    expect(() => writeSite(broken, folder)).toThrow('ENAMETOOLONG')
    expect(readFileSync(join(folder, 'index.html'), 'utf8')).toBe(files.get('index.html'))
    expect(readdirSync(parent)).toEqual(['site'])
  })
})
