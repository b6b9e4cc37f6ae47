import type { Entry } from './contents.ts'
import { frame } from './frame.ts'
import { html, Html } from './html.ts'
import { codeHtml } from './page.ts'
import { definition, type Source } from './sources.ts'

/** A source file of minilab as a page of the site, with an anchor at each definition that the book shows. */
export function sourceHtml(
  book: readonly Entry[],
  path: string,
  text: string,
  places: readonly Source[],
): string {
  const symbols = new Map(places.map(({ symbol }) => [definition(text, symbol), symbol]))
  const begins = [...symbols.keys()].filter(at => at !== undefined).toSorted((a, b) => a - b)
  const parts = [0, ...begins].map((from, i) => {
    const code = codeHtml('ts', text.slice(from, begins[i]))
    return (i ? html`<span id="${symbols.get(from) ?? ''}">${code}</span>` : code).text
  })
  return frame({
    title: `${path} – minilab`,
    book,
    main: html`<article class="listing">
      <h1>${path}</h1>
      <figure class="ts">
        <pre role="group" aria-label="${path}" tabindex="0"><code>${new Html(parts.join(''))}</code></pre>
      </figure>
    </article>`,
  })
}
