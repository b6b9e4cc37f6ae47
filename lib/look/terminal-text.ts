import { stripVTControlCharacters } from 'node:util'
import { wrap } from '../guide/text.ts'

/** Characters that take two columns: those that are wide in Unicode's East Asian Width, and emoji. */
const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u
const UNPRINTABLE = /[\p{C}\p{M}\p{Zl}\p{Zp}]/gu

/** How many columns a line takes, without its colours. */
export function columns(line: string): number {
  let count = 0
  for (const char of stripVTControlCharacters(line)) count += WIDE.test(char) ? 2 : 1
  return count
}

/** An untrusted text made safe for one line: characters that would move the cursor, or combine with others, are escaped. */
export function clean(text: string): string {
  return text.replace(UNPRINTABLE, char => `\\u${Number(char.codePointAt(0)).toString(16).padStart(4, '0')}`)
}

/** Text without colours, cut to a number of columns. */
export function cut(text: string, room: number): string {
  if (columns(text) <= room) return text
  let kept = ''
  for (const char of text) {
    if (columns(kept + char) > room - 1) break
    kept += char
  }
  return room > 0 ? `${kept}…` : ''
}

/** A path cut at its beginning, which says least. */
export function cutPath(path: string, room: number): string {
  return columns(path) <= room ? path : `…${path.slice(path.length - Math.max(0, room - 1))}`
}

/** A line padded with spaces on the right. */
export const pad = (line: string, room: number) => line + ' '.repeat(Math.max(0, room - columns(line)))

/** A text in lines of at most `room` columns; a word that is longer, such as a path, continues in the next line. */
export function paragraph(text: string, room: number): string[] {
  return wrap(clean(text), room).flatMap(line => {
    const lines: string[] = []
    let last = ''
    for (const char of line) {
      if (columns(last + char) > room) {
        lines.push(last)
        last = ''
      }
      last += char
    }
    return [...lines, last]
  })
}
