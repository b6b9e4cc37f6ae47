import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'
import { openBrowser, quietPage } from '../support/chromium.ts'
import { environment, identity, runMinilab, self, type UserName, userData } from '../support/minilab.ts'

const ENTRY = join(import.meta.dirname, '../../bin.mjs')
export const SOON = { timeout: 60_000 } // against hanging, not for speed

/** `minilab ARGS` as a process that goes on while we look. */
export function start(args: string[], data: string, user: UserName = self) {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe'],
    env: environment(user, data),
    ...identity(user),
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const errors = text(child.stderr)
  return { child, exit, errors }
}

/** `minilab view`, and the address that it prints. */
export async function startView(data = userData(), user?: UserName) {
  const started = start(['view', '--port', '0'], data, user)
  const [said] = (await once(started.child.stdout, 'data')) as [Buffer]
  const [url = ''] = String(said).split('\n')
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{32}$/)
  return { ...started, data, url: new URL(url) }
}

/** A container that runs in the background: its first process, and how it is removed. */
export async function background(
  data: string,
  name: string,
  flags: string[] = [],
  command = ['sleep', '300'],
) {
  const ran = await runMinilab(['run', '-d', '--name', name, ...flags, 'default', ...command], { data })
  expect(ran).toMatchObject({ status: 0, stderr: '' })
  const remove = async () => void (await runMinilab(['rm', '-f', name], { data }))
  onTestFinished(remove)
  const listed = await runMinilab(['ps', '--json'], { data })
  const rows = JSON.parse(listed.stdout) as { name: string; pid: number }[]
  return { pid: rows.find(row => row.name === name)!.pid, remove }
}

/** The page, and what it is seen to do from its first look on. */
export async function open(url: URL, options: BrowserContextOptions = {}) {
  const quiet = await quietPage(await openBrowser(), {
    viewport: { width: 1920, height: 1080 },
    ...options,
  })
  await quiet.page.addInitScript(RECORD)
  await quiet.page.goto(url.href)
  return quiet
}

/** Notes what was new or changed, which containers there were, and at each look when the kernel was asked and what stood there. */
const RECORD = `
  window.seen = { flashes: new Set(), names: new Set(), looks: [] }
  addEventListener('DOMContentLoaded', () => {
    new MutationObserver(changes => {
      for (const { addedNodes } of changes) for (const node of addedNodes) {
        if (node.matches?.('.flash')) seen.flashes.add(node.className + ' ' + node.dataset.of)
        if (node.matches?.('article')) seen.names.add(node.querySelector('h2').textContent)
      }
    }).observe(document.body, { childList: true, subtree: true })
    new MutationObserver(() => {
      for (const article of document.querySelectorAll('article'))
        seen.looks.push({ taken: Date.parse(article.dataset.taken), text: article.textContent })
    }).observe(document.body, { attributeFilter: ['data-look'] })
  })`

interface Recorded {
  flashes: string[]
  names: string[]
  looks: { taken: number; text: string }[]
}
export const recorded = (page: Page) =>
  page.evaluate(`({ ...seen, flashes: [...seen.flashes], names: [...seen.names] })`) as Promise<Recorded>

export const article = (page: Page, name: string) =>
  page.locator('article').filter({ has: page.getByRole('heading', { name, exact: true }) })
