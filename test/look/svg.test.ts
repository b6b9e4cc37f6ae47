import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { drawSvg } from '../../lib/look/draw-svg.ts'
import type { Snapshot } from '../../lib/look/snapshot-shape.ts'
import { noChromium, openBrowser, quietPage } from '../support/chromium.ts'
import { self } from '../support/minilab.ts'
import { all, container, looked, BUSY } from './support.ts'

const HOSTILE = '<script>alert(1)</script>"\'&]]><!-- \x1b \u202e'
const user = self
const limits = user === 'root' ? ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '50'] : []

/** A container with a stranger's words for a command, once it runs it. */
async function hostile(): Promise<Snapshot> {
  const { name, data, pid } = await container(
    limits,
    `sleep 1001 & : '${HOSTILE.replaceAll("'", '')}'; rm /etc/passwd; wait`,
  )
  await expect
    .poll(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim(), BUSY)
    .toMatch(/^\d+$/)
  return { ...(await looked(name, { user, data })), name: HOSTILE }
}

describe.skipIf(noChromium)(`the drawing in Chromium${noChromium}`, () => {
  test('is XML, has both pids of each process, and no script, whatever a command is called', async () => {
    const seen = await hostile()
    const { page, noise } = await quietPage(await openBrowser())
    await page.goto('about:blank')
    const found = await page.evaluate(text => {
      const document = new DOMParser().parseFromString(text, 'image/svg+xml')
      const elements = [...document.querySelectorAll('*')]
      const [id, described] = document.documentElement.getAttribute('aria-labelledby')!.split(' ')
      return {
        broken: document.querySelector('parsererror')?.textContent ?? null,
        root: document.documentElement.nodeName,
        role: document.documentElement.getAttribute('role'),
        title: document.getElementById(id!)?.textContent,
        description: document.getElementById(described!)?.textContent,
        names: [...new Set(elements.map(element => element.nodeName))].sort(),
        outside: elements.flatMap(element =>
          [...element.attributes].filter(
            ({ name, value }) => /^on|href|src/.test(name) || /url\(|javascript:/.test(value),
          ),
        ).length,
        texts: [...document.querySelectorAll('text')].map(element => element.textContent ?? ''),
        keys: [...document.querySelectorAll('[data-key]')].map(element => element.getAttribute('data-key')),
      }
    }, drawSvg(seen))
    expect(found).toMatchObject({ broken: null, root: 'svg', role: 'img', outside: 0 })
    expect(found.names).toEqual(['desc', 'g', 'path', 'rect', 'style', 'svg', 'text', 'title'])
    expect(found.title).toContain('<script>alert(1)</script>')
    expect(found.description).toContain(`first process ${seen.pid}`)
    for (const { pid, inside } of all(seen.processes.roots)) {
      expect(found.texts).toContain(String(pid))
      expect(found.texts).toContain(String(inside))
    }
    expect(found.texts).toContain('− /etc/passwd')
    expect(new Set(found.keys).size).toBe(found.keys.length)
    for (const key of [
      'cgroup.memory.current',
      'cgroup.cpu.quota',
      'cgroup.pids.current',
      'cgroup.frozen',
      'network.eth0.rx',
    ])
      expect(found.keys).toContain(key)
    for (const { pid } of all(seen.processes.roots)) expect(found.keys).toContain(`process.${pid}`)
    expect(noise).toEqual([])
  })

  test.each(['light', 'dark'] as const)(
    'in %s every text is within the picture, readable, and alone in its place',
    async colorScheme => {
      const seen = await hostile()
      const { page, noise } = await quietPage(await openBrowser(), {
        colorScheme,
        viewport: { width: 1600, height: 1000 },
      })
      await page.setContent(`<!doctype html><title>look</title>${drawSvg(seen)}`)
      const {
        outside,
        overlaps,
        weak,
        page: background,
      } = await page.evaluate(() => {
        const svg = document.querySelector('svg')!
        const whole = svg.getBoundingClientRect()
        const texts = [...svg.querySelectorAll('text')].filter(text => text.textContent?.trim())
        const boxes = texts.map(text => ({ text: text.textContent, box: text.getBoundingClientRect() }))
        const shade = (colour: string) => {
          const [r = 0, g = 0, b = 0] = (colour.match(/\d+/g) ?? [])
            .map(Number)
            .map(c => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
          return 0.2126 * r + 0.7152 * g + 0.0722 * b
        }
        /** What a text stands on: the last shape before it that holds its middle. */
        const ground = (text: Element, box: DOMRect) => {
          const [x, y] = [box.x + box.width / 2, box.y + box.height / 2]
          const behind = [...svg.querySelectorAll('rect')].filter(rect => {
            const place = rect.getBoundingClientRect()
            const before = rect.compareDocumentPosition(text) & Node.DOCUMENT_POSITION_FOLLOWING
            return before && place.x <= x && x <= place.right && place.y <= y && y <= place.bottom
          })
          return getComputedStyle(behind.at(-1)!).fill
        }
        return {
          outside: boxes
            .filter(({ box }) => box.x < whole.x || box.right > whole.right || box.bottom > whole.bottom)
            .map(({ text }) => text),
          overlaps: boxes.flatMap((a, i) =>
            boxes
              .slice(i + 1)
              .filter(b => {
                const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.x, b.box.x)
                const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.y, b.box.y)
                return across > 1 && down > 0.35 * Math.min(a.box.height, b.box.height)
              })
              .map(b => `${a.text} | ${b.text}`),
          ),
          weak: texts.flatMap((text, i) => {
            const [one, two] = [shade(getComputedStyle(text).fill), shade(ground(text, boxes[i]!.box))]
            const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05)
            return contrast < 4.5 ? [`${contrast.toFixed(1)} ${text.textContent}`] : []
          }),
          page: shade(getComputedStyle(svg.querySelector('.page')!).fill),
        }
      })
      expect({ outside, overlaps, weak, noise }).toEqual({ outside: [], overlaps: [], weak: [], noise: [] })
      expect(background > 0.5).toBe(colorScheme === 'light')
    },
  )
})
