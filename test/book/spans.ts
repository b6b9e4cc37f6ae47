import type { Token } from 'markdown-it'
import type { BookPage } from './page.ts'

/** A piece of a page's text: inline code, or what stands around it. */
export interface Span {
  /** counted from 1 */
  line: number
  text: string
  isCode: boolean
}

/** All text of a page that is no block: inline code, and what lies between. */
export function spans(page: BookPage): Span[] {
  return inlines(page).flatMap(({ token, line }) => pieces(page, token, line))
}

export interface Link {
  line: number
  target: string
}

/** The links and pictures of a page. */
export function links(page: BookPage): Link[] {
  return inlines(page).flatMap(({ token, line }) =>
    (token.children ?? []).flatMap((child): Link[] => {
      const target = child.attrGet(child.type === 'image' ? 'src' : 'href')
      return typeof target !== 'string' ? [] : [{ line: lineOf(page, `(${target}`, line), target }]
    }),
  )
}

/** markdown-it gives the text of a table's cells no line of its own: then it is that of the row. */
function inlines({ tokens }: BookPage): { token: Token; line: number }[] {
  let line = 1
  return tokens.flatMap(token => {
    if (token.map) line = token.map[0] + 1
    return token.type === 'inline' ? [{ token, line }] : []
  })
}

function pieces(page: BookPage, token: Token, first: number): Span[] {
  let line = first
  return (token.children ?? []).flatMap(({ type, content }): Span[] => {
    if (/break$/.test(type)) line++
    if (type === 'code_inline') {
      const found = lineOf(page, content, line)
      line = Math.max(line, found)
      return [{ line: found, text: content, isCode: true }]
    }
    return type === 'text' ? [{ line, text: content, isCode: false }] : []
  })
}

/** From `from` on, the first line that has the text, or its begin where it goes on in the next line. */
function lineOf({ lines }: BookPage, text: string, from: number): number {
  for (let line = from; line < from + 60 && line <= lines.length; line++) {
    const two = `${lines[line - 1]} ${lines[line]?.trim() ?? ''}`
    if (two.indexOf(text) !== -1 && two.indexOf(text) <= (lines[line - 1]?.length ?? 0)) return line
  }
  return from
}
