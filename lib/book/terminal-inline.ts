import type { ChalkInstance } from 'chalk'
import type { Token } from 'markdown-it'
import type { Run } from './lines.ts'
import { target } from './links.ts'

/** Characters that could move the cursor, or change the writing direction. */
const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}]/gu

/** A text that is safe to print on a terminal. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, '\uFFFD')

/** Marks to use if there are no colours. */
const MARKS: Record<string, string> = { em_open: '*', em_close: '*', strong_open: '**', strong_close: '**' }

/** Inline tokens as runs. A link is followed by its target, unless that is a page of the book. */
export function inlineRuns(tokens: readonly Token[], ink: ChalkInstance): Run[] {
  const plain = ink.level === 0
  const looks: Record<string, ChalkInstance> = {
    em_open: ink.italic,
    strong_open: ink.bold,
    s_open: ink.strikethrough,
    link_open: ink.underline,
  }
  const runs: Run[] = []
  const open: ((text: string) => string)[] = []
  const targets: string[] = []
  const add = (text: string, look?: (text: string) => string, together = false) => {
    const styles = look ? [...open, look] : [...open]
    const style = (text: string) => styles.reduceRight((inner, outer) => outer(inner), text)
    if (text) runs.push({ text, style, together })
  }
  for (const token of tokens) {
    const { type, content } = token
    if (plain && MARKS[type]) add(MARKS[type])
    if (type === 'link_open') targets.push(shownTarget(String(token.attrGet('href') ?? '')))
    if (token.nesting === 1) open.push(looks[type] ?? (text => text))
    else if (token.nesting === -1) open.pop()
    else if (type === 'softbreak') add(' ')
    else if (type === 'hardbreak') add('\n')
    else if (type === 'code_inline') add(code(printable(content), plain), ink.cyan, true)
    else if (type === 'html_inline') add(printable(content.replace(/^<!--.*-->$/s, '')))
    else add(printable(content))
    if (type === 'link_close') {
      const shown = targets.pop()
      if (shown && shown !== runs.at(-1)?.text.replaceAll('`', '')) add(` (${shown})`, ink.dim)
    }
  }
  return runs
}

const code = (text: string, plain: boolean) => (plain ? `\`${text}\`` : text)

/** The target as shown; '' for a page of the book, which is opened by its number. */
function shownTarget(href: string): string {
  const found = target(href)
  return printable(found.to === 'web' ? found.url : found.to === 'source' ? found.path : '')
}
