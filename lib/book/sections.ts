import { certain } from '../common/certain.ts'
import { codeBlock } from './code-block.ts'
import { type Page, plain } from './pages.ts'
import type { Section } from './search.ts'

/** The sections of the book as text to search, without the lines and arrows of drawings (U+2500 to U+25FF). */
export function sections(pages: readonly Page[]): Section[] {
  return pages.flatMap(({ name, title, tokens, headings }) => {
    const found: Section[] = []
    const next = headings.values()
    for (const [i, token] of tokens.entries()) {
      if (token.type === 'heading_open') {
        const { text, id } = certain(next.next().value)
        found.push({ page: name, title, heading: text, id, text: '' })
      } else if (tokens[i - 1]?.type === 'heading_open') continue // its text: it is in the heading already
      const text =
        token.type === 'inline'
          ? plain(token.children ?? [])
          : token.type === 'fence' || token.type === 'code_block'
            ? codeBlock(token).text
            : ''
      if (!text) continue
      if (found.length === 0) found.push({ page: name, title, heading: title, id: '', text: '' })
      const section = certain(found.at(-1))
      section.text = `${section.text} ${text.replace(/[\s\u2500-\u25ff]+/g, ' ').trim()}`.trimStart()
    }
    return found
  })
}
