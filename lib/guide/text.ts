import { stripVTControlCharacters } from 'node:util'
import { asTyped } from '../as-typed.ts'

/** `12 µs`, `1.3 ms`. */
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

/** Items in lines of at most `width` columns, with a dot between two; colours take no room. */
export function joined(items: readonly string[], width: number): string[] {
  const lines: string[] = []
  for (const item of items) {
    const longer = lines.length ? `${lines.at(-1)} · ${item}` : item
    if (lines.length && stripVTControlCharacters(longer).length <= width) lines[lines.length - 1] = longer
    else lines.push(item)
  }
  return lines
}

/** Arguments shortened to `room` characters: a path at their begin first loses its upper folders, then the end is cut off. */
export function fit(args: string, room: number): string {
  let text = args
  for (let shorter = ''; text.length > room; text = shorter) {
    shorter = text.replace(/^"(…)?\/[^/"]+(?=\/)/, '"…')
    if (shorter === text) return `${text.slice(0, Math.max(8, room - 1))}…`
  }
  return text
}
