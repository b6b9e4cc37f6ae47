import { stripVTControlCharacters } from 'node:util'
import { asTyped } from './as-typed.ts'

/** A duration in nanoseconds as text: `12 µs`, `1.3 ms`. */
export function micro(ns: number): string {
  const µs = ns / 1000
  return µs < 1000 ? `${µs < 10 ? µs.toFixed(1) : Math.round(µs)} µs` : `${(µs / 1000).toFixed(1)} ms`
}

/** Breaks a paragraph into lines of at most `width` characters, between words; `code in backquotes` stays together. */
export function wrap(text: string, width: number): string[] {
  const result: string[] = []
  let line = ''
  for (const word of asTyped(text).match(/(`[^`]*`|[^\s`])+|`/g) ?? []) {
    if (line && line.length + 1 + word.length > width) {
      result.push(line)
      line = word
    } else line = line ? `${line} ${word}` : word
  }
  return line ? [...result, line] : result
}

/** Items in lines of at most `width` columns, separated by dots; colours take no room. */
export function joined(items: readonly string[], width: number): string[] {
  const lines: string[] = []
  for (const item of items) {
    const longer = lines.length ? `${lines.at(-1)} · ${item}` : item
    if (lines.length && stripVTControlCharacters(longer).length <= width) lines[lines.length - 1] = longer
    else lines.push(item)
  }
  return lines
}

const COLOUR = /\p{Cc}\[[0-9;]*m/u
const seen = (text: string) => stripVTControlCharacters(text).length

/**
 * Folds a printed line into lines of at most `width` columns, between words. Further lines are indented to the text after the
 * first one's mark. A word that is too long is broken after one of / , | = if it has any. Colours take no room.
 */
export function fold(line: string, width: number): string[] {
  if (seen(line) <= width) return [line]
  const [margin = ''] = /^\s*(?:[✔✘–·≠◆◦›?]\s+|[│├┌]\s|\d\/\d\s+)?/.exec(stripVTControlCharacters(line)) ?? []
  const indent = margin.replace(/[^│├┌]/g, ' ').replace(/[├┌]/, '│')
  const lines: string[] = []
  let current = ''
  for (const [, space = '', word = ''] of line.matchAll(/(\s*)((?:\p{Cc}\[[0-9;]*m|[^\s\p{Cc}])+)/gu)) {
    if (seen(current + space + word) <= width) {
      current += space + word
      continue
    }
    if (seen(current) > indent.length) lines.push(current)
    const pieces = broken(word, width - indent.length).map(piece => indent + piece)
    current = pieces.pop() ?? ''
    lines.push(...pieces)
  }
  return [...lines, current]
}

/** A word in pieces of at most `room` columns. */
function broken(word: string, room: number): string[] {
  const pieces: string[] = []
  let [piece, columns, behind] = ['', 0, 0]
  for (const [part] of word.matchAll(new RegExp(`${COLOUR.source}|.`, 'gu'))) {
    if (COLOUR.test(part)) {
      piece += part
      continue
    }
    if (columns === room) {
      const at = behind || piece.length
      pieces.push(piece.slice(0, at))
      piece = piece.slice(at)
      columns = seen(piece)
      behind = 0
    }
    piece += part
    columns++
    if ('/,|='.includes(part)) behind = piece.length
  }
  return [...pieces, piece]
}

/**
 * Arguments shortened to `room` characters: a path at their beginning first loses its upper folders, then the end is cut off. A
 * quote that is cut is closed.
 */
export function fit(args: string, room: number): string {
  let text = args
  for (let shorter = ''; text.length > room; text = shorter) {
    shorter = text.replace(/^"(…)?\/[^/"]+(?=\/)/, '"…')
    if (shorter !== text) continue
    const most = Math.max(8, room - 1)
    const shortest = text.slice(0, most - 1)
    if (isOpen(shortest)) return `${shortest}…"`
    return isOpen(text.slice(0, most)) ? `${shortest}…` : `${text.slice(0, most)}…`
  }
  return text
}

/** Whether a text ends inside of quotes. */
const isOpen = (text: string) => (text.replaceAll(/\\./g, '').split('"').length - 1) % 2 === 1

/** `1 call`, `2 calls`, `1 entry`, `2 processes`. */
export const counted = (count: number, thing: string) => `${count} ${count === 1 ? thing : plural(thing)}`

const plural = (thing: string) =>
  thing.endsWith('s') ? `${thing}es` : `${thing.replace(/(?<=[^aeiou])y$/, 'ie')}s`
