import type { Entry } from './contents.ts'
import { html, type Html } from './html.ts'
import type { Page } from './pages.ts'

interface Framed {
  title: string
  book: readonly Entry[]
  /** the open page; undefined on the cover */
  current?: Page
  main: Html
}

/** Allows only this site's own files: no styles or scripts inside a page, nothing from other servers. */
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'"

/** Marks our pages, so that we recognize an earlier output. */
export const GENERATOR = 'minilab book'

/** A complete page: head, search and contents around `main`. */
export function frame({ title, book, current, main }: Framed): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="generator" content="${GENERATOR}" />
        <title>${title}</title>
        <link rel="icon" type="image/svg+xml" href="assets/icon.svg" />
        <link rel="stylesheet" href="assets/book.css" />
        <script src="assets/book.js"></script>
      </head>
      <body class="${current ? 'chapter' : 'cover'}">
        <a class="skip" href="#main">Skip to the text</a>
        <header>
          ${
            current
              ? html`<button type="button" class="menu" aria-expanded="false" aria-controls="contents">
                  <span aria-hidden="true">☰</span> <span class="word">Contents</span>
                </button>`
              : ''
          }
          <a class="brand" href="index.html">minilab</a>
          <search>
            <label class="said" for="query">Search the book</label>
            <input id="query" type="search" placeholder="Search" autocomplete="off" spellcheck="false" />
            <kbd aria-hidden="true">/</kbd>
            <div id="found" hidden></div>
          </search>
          <button type="button" class="theme" aria-label="Dark colours" aria-pressed="false">
            <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
              <circle cx="12" cy="12" r="8" fill="none" stroke="currentColor" stroke-width="2" />
              <path d="M12 4a8 8 0 0 1 0 16z" fill="currentColor" />
            </svg>
          </button>
        </header>
        <div class="desk">
          ${
            current
              ? html`<nav id="contents" aria-label="Contents">
                  <ol>
                    ${book.map(entry => line(entry, entry.page === current))}
                  </ol>
                </nav>`
              : ''
          }
          <main id="main" tabindex="-1">${main}</main>
        </div>
      </body>
    </html> `.text
}

/** A line of the contents; below the open page, its sections. */
function line({ page, number, title }: Entry, isCurrent: boolean): Html {
  const name = html`<span class="number">${number}</span> <span>${title}</span>`
  if (!isCurrent) return html`<li><a href="${page.name}.html">${name}</a></li>`
  return html`<li>
    <a href="${page.name}.html" aria-current="page">${name}</a>
    <ol>
      ${page.headings
        .filter(({ level }) => level === 2)
        .map(({ id, text }) => html`<li><a href="#${id}">${text}</a></li>`)}
    </ol>
  </li>`
}
