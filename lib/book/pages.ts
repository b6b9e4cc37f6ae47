import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import MarkdownIt, { type Token } from 'markdown-it'
import { bookFolder } from './folder.ts'

/** One file of the book, parsed once for every renderer. */
export interface Page {
  /** `3-root`: the file's name without its ending, and that of the page made of it */
  name: string
  title: string
  tokens: Token[]
  headings: Heading[]
}

interface Heading {
  level: number
  text: string
  /** the anchor, as forges make it from the text */
  id: string
}

/** CommonMark with tables and no HTML but comments, which nothing shows. */
const markdown = new MarkdownIt({ html: true })

/** The pages behind the chapters, in their order. They are no steps, so they have no number. */
const BEHIND = ['machines', 'teachers', 'appendix']

/** Names of pages in the book's order: 0-start, the seven chapters, and what is behind them. */
export function inOrder(names: readonly string[]): string[] {
  const place = (name: string) => BEHIND.indexOf(name) // -1 for a chapter
  return names.toSorted().toSorted((a, b) => place(a) - place(b))
}

/** The book in its order. `folder`: another one, for tests. */
export function pages(folder = bookFolder): Page[] {
  const names = readdirSync(folder).flatMap(file => /^(.*)\.md$/.exec(file)?.[1] ?? [])
  return inOrder(names).map(name => parse(name, readFileSync(join(folder, `${name}.md`), 'utf8')))
}

/** One page, parsed when that is asked for: who reads one of them does not wait for the others. */
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

/** Tokens of headings get their anchor as the attribute `id`. */
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

/** The text of inline tokens without their marks. */
export function plain(tokens: readonly Token[]): string {
  return tokens
    .map(({ type, content }) => (/break$/.test(type) ? ' ' : type === 'html_inline' ? '' : content))
    .join('')
}

/** As GitHub and its like name a heading: only letters, digits, hyphens and underscores stay. */
function anchor(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, '')
    .replaceAll(' ', '-')
}
