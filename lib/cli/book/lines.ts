import { certain } from '../../common/certain.ts'
import { type Entry, handle } from '../../book/contents.ts'
import { type Run, wrapRuns } from '../../book/lines.ts'
import { type Fragment, search, type Section } from '../../book/search.ts'
import type { Look } from '../../book/terminal.ts'
import { printable } from '../../common/printable.ts'

/** More results than this are not useful: a more specific word finds fewer. */
const MAX_MATCHES = 20

/** The table of contents. */
export function contentsLines(entries: readonly Entry[], { ink, width }: Look): string[] {
  const { bold, cyan, dim } = ink
  return [
    bold('The book of minilab'),
    cyan('━'.repeat(width)),
    '',
    ...entries.flatMap(entry => {
      const { number, title, words, minutes } = entry
      const open = `minilab book ${handle(entry)} · ${words.toLocaleString('en')} words, ${minutes} min`
      const [first, ...more] = [
        ...wrapRuns([{ text: title, style: bold }], width - 4),
        ...wrapRuns([{ text: open, style: dim }], width - 4),
      ]
      return [`${cyan(number.padStart(2))}  ${first}`, ...more.map(line => `    ${line}`), '']
    }),
    ...wrapRuns([{ text: 'To find something: minilab book --search WORD', style: dim }], width),
    ...wrapRuns([{ text: 'In a browser: minilab book --serve', style: dim }], width),
  ]
}

/** What is printed after a page. */
export function nextLines(entry: Entry, entries: readonly Entry[], { ink, width }: Look): string[] {
  const next = entries[entries.indexOf(entry) + 1]
  const tries = Number(entry.number) ? `Try it: minilab step ${entry.number}   ` : ''
  const text = next ? `${tries}Next: minilab book ${handle(next)}` : 'Contents: minilab book'
  return ['', ink.cyan('━'.repeat(width)), ...wrapRuns([{ text, style: asItIs }], width)]
}

/** Where the words occur: section, page with the command that opens it, and some of the text. */
export function matchLines(
  entries: readonly Entry[],
  sections: readonly Section[],
  query: string,
  { ink, width }: Look,
): string[] {
  const { bold, dim, underline } = ink
  const matches = search(sections, query)
  const found = (parts: readonly Fragment[], style: (text: string) => string): Run[] =>
    parts.map(({ text, hit }) => ({ text, style: hit ? text => underline(style(text)) : style }))
  const head =
    matches.length === 0
      ? `“${printable(query)}” does not occur in ${entries.length === 1 ? certain(entries[0]).page.title : 'the book'}.`
      : `${matches.length} ${matches.length === 1 ? 'place' : 'places'} for “${printable(query)}”${matches.length > MAX_MATCHES ? `; the first ${MAX_MATCHES}` : ''}`
  return [
    ...wrapRuns([{ text: head, style: asItIs }], width),
    ...matches.slice(0, MAX_MATCHES).flatMap(({ section, heading, snippet }) => {
      const entry = certain(entries.find(({ page }) => page.name === section.page))
      const where = `${section.heading === section.title ? '' : `${section.title} · `}minilab book ${handle(entry)}`
      return [
        '',
        ...wrapRuns(found(heading, bold), width),
        ...wrapRuns([{ text: where, style: dim }], width),
        ...wrapRuns(found(snippet, asItIs), width - 4).map(line => `    ${line}`),
      ]
    }),
  ]
}

const asItIs = (text: string) => text
