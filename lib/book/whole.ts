import type { Entry } from './contents.ts'
import { entries } from './cover.ts'
import { frame } from './frame.ts'
import { html, Html } from './html.ts'
import { pageHtml } from './page.ts'

/** All pages in one, to print: each begins on a new sheet, and its title is at the top of its sheets. */
export function whole(book: readonly Entry[]): string {
  return frame({
    title: 'The whole book – minilab',
    book,
    main: html`<p class="front">minilab</p>
      <p>Learn how containers work by building one. The whole book on one page, to print or to search in.</p>
      <nav aria-label="Contents">${entries(book, ({ page }) => `#${page.name}`)}</nav>
      ${book.map((entry, i) => html`<article id="${entry.page.name}" class="sheets-${i}">${article(book, entry)}</article>`)}`,
  })
}

/**
 * The HTML of a page among the others: its anchors begin with its name. Quotes in its text are escaped, so only real attributes
 * match.
 */
function article(book: readonly Entry[], { page }: Entry): Html {
  const isPage = (name: string) => book.some(({ page }) => page.name === name)
  const text = pageHtml(page)
    .text.replaceAll(' id="', ` id="${page.name}.`)
    .replace(/ href="(?:([\w-]+)\.html)?(?:#([^"]*))?"/g, (link, name: string = page.name, anchor = '') =>
      isPage(name) ? ` href="#${[name, anchor].filter(Boolean).join('.')}"` : link,
    )
  return new Html(text)
}

/** The rules for printing that contain the titles. */
export const sheets = (book: readonly Entry[]): string =>
  book
    .map(({ page }, i) => {
      const title = `'${page.title.replace(/[^\p{L}\p{N}\p{P}\p{S} ]|[\\'<]/gu, ' ')}'`
      return `.sheets-${i} { page: sheets-${i}; }\n@page sheets-${i} { @top-center { content: ${title}; } }\n`
    })
    .join('')
