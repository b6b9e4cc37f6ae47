import { readdirSync, readFileSync } from 'node:fs'
import module from 'node:module'
import { join } from 'node:path'
import { codeFolder, isCheckout, ownFolder } from '../common/own-folder.ts'
import { contents, type Entry } from './contents.ts'
import { frame } from './frame.ts'
import { cover } from './cover.ts'
import { html } from './html.ts'
import { pageHtml } from './page.ts'
import type { Page } from './pages.ts'
import { sections } from './sections.ts'
import { sourceHtml } from './source-page.ts'
import { sourcePage, sourcesOf, sourceText } from './sources.ts'
import { sheets, whole } from './whole.ts'

const ASSETS = join(ownFolder, 'lib/book/assets')

/** The files of a site by their path: text, and a font. */
export type Files = ReadonlyMap<string, string | Buffer>

/** All files of the site. They refer only to each other, so the site works in any folder, even without a server. */
export function site(pages: readonly Page[]): Map<string, string | Buffer> {
  const book = contents(pages)
  const files = new Map<string, string | Buffer>([
    ['index.html', cover(book)],
    ['whole.html', whole(book)],
  ])
  for (const [i, entry] of book.entries()) files.set(`${entry.page.name}.html`, chapter(book, entry, i))
  for (const [path, places] of Map.groupBy(sourcesOf(pages), ({ path }) => path)) {
    const text = sourceText(path)
    if (text !== undefined) files.set(sourcePage(path), sourceHtml(book, path, text, places))
  }
  for (const asset of readdirSync(ASSETS)) files.set(`assets/${asset}`, readFileSync(join(ASSETS, asset)))
  files.set('assets/book.css', `${readFileSync(join(ASSETS, 'book.css'), 'utf8')}\n${sheets(book)}`)
  files.set('assets/search.js', searchScript())
  files.set('assets/search-index.js', `const bookSections = ${JSON.stringify(sections(pages))}\n`)
  return files
}

function chapter(book: readonly Entry[], entry: Entry, i: number): string {
  const { page, number, title, words, minutes } = entry
  const [before, after] = [book[i - 1], book[i + 1]]
  const step = Number(number)
    ? `Step ${number} of ${book.filter(({ number }) => Number(number)).length} · `
    : ''
  return frame({
    title: `${title} – minilab`,
    book,
    current: page,
    main: html`<article>
        <p class="length">${step}${words.toLocaleString('en')} words, about ${minutes} min</p>
        ${pageHtml(page)}
      </article>
      <nav class="turn" aria-label="Previous and next page">
        ${before ? turn('prev', before) : html`<a rel="prev" href="index.html"><span>Contents</span> The book</a>`}
        ${after ? turn('next', after) : ''}
      </nav>`,
  })
}

const turn = (rel: 'prev' | 'next', { page, title, number }: Entry) =>
  html`<a rel="${rel}" href="${page.name}.html"
    ><span>${rel === 'prev' ? '← Previous' : 'Next →'}</span> ${number && `${number}. `}${title}</a
  >`

/** The search of the terminal as a script. A page opened from a file may not load modules, so the exports become one global name. */
function searchScript(): string {
  const source = isCheckout
    ? withoutTypes(readFileSync(join(codeFolder, 'lib/book/search.ts'), 'utf8'))
    : readFileSync(join(codeFolder, 'lib/book/search.js'), 'utf8')
  const names = [...source.matchAll(/^export function (\w+)/gm)].map(([, name]) => name)
  const body = source.replace(/^export (?=function)/gm, '').trim()
  return `const bookSearch = (() => {\n${body}\nreturn { ${names.join(', ')} }\n})()\n`
}

/** Removes the types, as Node does when it loads our files; but only this function warns that it is experimental. */
function withoutTypes(source: string): string {
  const { emitWarning } = process
  process.emitWarning = () => {}
  try {
    return module.stripTypeScriptTypes(source)
  } finally {
    process.emitWarning = emitWarning
  }
}
