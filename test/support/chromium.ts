import { existsSync } from 'node:fs'
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { onTestFinished } from 'vitest'

/** The headless shell draws the same pages without a browser's windows and menus, for a third of the time. */
const PROGRAM = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find(path => existsSync(path))

/** Why no page can be looked at here, or ''. */
export const noChromium = PROGRAM ? '' : ' (no chromium: apt-get install chromium-headless-shell)'

/** Nothing that Chromium itself asks of the network, and no name that could be resolved: only loopback is left. */
const FLAGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync'
    .split(' ')
    .concat('--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost')

let browser: Promise<Browser> | undefined

/** A real, headless Chromium with a new profile: one for all files that a process of vitest runs, ended with that. */
export async function openBrowser(): Promise<Browser> {
  browser ??= chromium.launch({ executablePath: PROGRAM!, args: FLAGS })
  return browser
}

/** A page, and what a reader should never cause: empty when all is well. */
export interface QuietPage {
  page: Page
  /** console errors and warnings, uncaught exceptions, failed requests, and requests to another machine, as lines */
  noise: string[]
}

/** A new page with storage of its own, closed after the test. `options`: colorScheme, viewport, permissions, … */
export async function quietPage(browser: Browser, options: BrowserContextOptions = {}): Promise<QuietPage> {
  const context = await browser.newContext(options)
  onTestFinished(async () => context.close())
  const page = await context.newPage()
  const noise: string[] = []
  page.on('console', message => {
    if (/^(error|warning|assert)$/.test(message.type()) && !message.text().includes(NETWORK_CHANGED))
      noise.push(`console ${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', error => noise.push(`exception: ${error.message}`))
  page.on('requestfailed', request => {
    const { errorText = '' } = request.failure() ?? {}
    // a page that is left ends its own requests (an event stream, say)
    if (!['net::ERR_ABORTED', NETWORK_CHANGED].includes(errorText))
      noise.push(`failed: ${request.url()} ${errorText}`)
  })
  page.on('request', request => {
    if (isOutside(request.url())) noise.push(`outside request: ${request.url()}`)
  })
  loadAgain(page)
  return { page, noise }
}

const NETWORK_CHANGED = 'net::ERR_NETWORK_CHANGED'
const ERROR_PAGE = 'interrupted by another navigation to "chrome-error:'
const TRIES = 10

/** Where a link comes or goes on the machine, another test's say, Chromium drops what it is loading. Then the page is loaded again. */
function loadAgain(page: Page): void {
  const goto = page.goto.bind(page)
  let dropped = false
  let going = false
  page.on('requestfailed', request => {
    if (request.failure()?.errorText !== NETWORK_CHANGED) return
    dropped = true
    // a link was clicked; whoever waits for the page it leads to hears of what goes wrong
    if (!going && request.isNavigationRequest()) page.goto(request.url()).catch(() => {})
  })
  page.goto = async (...args) => {
    going = true
    try {
      for (let tries = 1; ; tries++) {
        dropped = false
        try {
          const response = await goto(...args)
          if (!dropped || tries === TRIES) return response
        } catch (error) {
          // the page that says so may come so late that it is in the way of the next try
          const isDropped = [NETWORK_CHANGED, ERROR_PAGE].some(text => String(error).includes(text))
          if (tries === TRIES || !isDropped) throw error
        }
      }
    } finally {
      going = false
    }
  }
}

function isOutside(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return /^(https?|wss?):$/.test(protocol) && hostname !== '127.0.0.1' && hostname !== 'localhost'
}

/** What a screen reader or a keyboard would stumble over: axe's findings that are serious or critical. */
export async function violations(page: Page): Promise<string[]> {
  // the pages' policy allows no script but their own: this one comes as a debugger's
  await page.evaluate(axe.source)
  const run = "axe.run({ preload: false, resultTypes: ['violations'] })" // not all that is well besides
  const { violations } = (await page.evaluate(run)) as axe.AxeResults
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)
}
