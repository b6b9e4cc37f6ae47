import type { Entry } from './contents.ts'
import { frame } from './frame.ts'
import { html, type Html } from './html.ts'

/** The first page: an introduction, and the contents. */
export function cover(book: readonly Entry[]): string {
  const [first] = book
  const steps = book.filter(({ number }) => Number(number))
  return frame({
    title: 'minilab: learn how containers work by building one',
    book,
    main: html`<div class="title">
        <div>
          <h1>Learn how containers work by building one</h1>
          <p>
            A container is an ordered list of parts. Each step adds one; each part is nothing but system
            calls. Every listing here is the code that ran, and every output was recorded from the live
            kernel.
          </p>
          ${first ? html`<p><a class="begin" href="${first.page.name}.html">Begin to read</a></p>` : ''}
        </div>
        ${drawing(steps)}
      </div>
      <nav aria-labelledby="contents">
        <h2 id="contents">Contents</h2>
        ${entries(book, ({ page }) => `${page.name}.html`)}
        <p><a href="whole.html">The whole book on one page</a>, to print.</p>
      </nav>`,
  })
}

/** The pages with the time to read each. */
export function entries(book: readonly Entry[], href: (entry: Entry) => string): Html {
  return html`<ol>
    ${book.map(
      entry =>
        html`<li>
          <a href="${href(entry)}"
            ><span class="number">${entry.number}</span> <span>${entry.title}</span>
            <small>${entry.minutes} min</small></a
          >
        </li>`,
    )}
  </ol>`
}

const BORDER = 18

/** Each step as a box around the steps before it: the innermost is the first, a bare process. */
function drawing(steps: readonly Entry[]): Html {
  const boxes = steps.toReversed().map(({ page }, i) => ({
    name: page.name.replace(/^\d+-/, ''),
    x: 1 + (i * BORDER) / 2,
    y: 1 + i * (BORDER + 6),
    width: 298 - i * BORDER,
    height: 248 - i * (BORDER + 6 + 8),
    depth: steps.length - i,
  }))
  return html`<svg class="boxes" viewBox="0 0 300 250" aria-hidden="true">
    ${boxes.map(
      ({ name, x, y, width, height, depth }) =>
        html`<rect class="box${depth}" x="${x}" y="${y}" width="${width}" height="${height}" rx="5" />
          <text x="${x + 9}" y="${y + 16}">${name}</text>`,
    )}
  </svg>`
}
