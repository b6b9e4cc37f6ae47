import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import MarkdownIt, { type Token } from 'markdown-it'
import { bookFolder } from './folder.ts'

/** One file of the book, parsed once for all renderers. */
export interface Page {
  /** `3-root`: the name of the file, and of the page made from it, without the extension */
  name: string
  title: string
  tokens: Token[]
  headings: Heading[]
}

interface Heading {
  level: number
  text: string
  /** the anchor, derived from the text as GitHub does */
  id: string
}

/** CommonMark with tables; HTML is only allowed as comments, which are not shown. */
const markdown = new MarkdownIt({ html: true })

/** The pages after the chapters, in order. They are not steps, so they have no number. */
const BEHIND = ['machines', 'teachers', 'appendix']

/** Sorts names of pages into the book's order: 0-start, the seven chapters, the pages after them. */
export function inOrder(names: readonly string[]): string[] {
  const rank = (name: string) => BEHIND.indexOf(name) // -1 for a chapter
  return names.toSorted().toSorted((a, b) => rank(a) - rank(b))
}

/** The pages of the book in order. `folder`: another book, for tests. */
export function pages(folder = bookFolder): Page[] {
  const names = readdirSync(folder).flatMap(file => /^(.*)\.md$/.exec(file)?.[1] ?? [])
  return inOrder(names).map(name => parse(name, readFileSync(join(folder, `${name}.md`), 'utf8')))
}

/** One page; it is parsed when it is used, so that reading one page does not parse all. */
export function parse(name: string, text: string): Page {
  let parsed: Pick<Page, 'tokens' | 'headings'> | undefined
  const once = () => (parsed ??= parseText(text))
  return {
    name,
    get title() {
      return once().headings[0]?.text ?? name
    },
    get tokens() {
      return once().tokens
    },
    get headings() {
      return once().headings
    },
  }
}

/** Parses a page, and gives each heading token its anchor as the attribute `id`. */
function parseText(text: string): Pick<Page, 'tokens' | 'headings'> {
  const tokens = markdown.parse(text, {})
  const headings: Heading[] = []
  for (const [i, token] of tokens.entries()) {
    if (token.type !== 'heading_open') continue
    const text = plain(tokens[i + 1]?.children ?? [])
    const before = headings.filter(other => anchor(other.text) === anchor(text)).length
    const id = before ? `${anchor(text)}-${before}` : anchor(text)
    token.attrSet('id', id)
    headings.push({ level: Number(token.tag.slice(1)), text, id })
  }
  return { tokens, headings }
}

/** The text of inline tokens without markup. */
export function plain(tokens: readonly Token[]): string {
  return tokens
    .map(({ type, content }) => (/break$/.test(type) ? ' ' : type === 'html_inline' ? '' : content))
    .join('')
}

/** The anchor that GitHub makes for a heading: only letters, digits, hyphens and underscores are kept. */
function anchor(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-')
}
