import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Place } from './problem.ts'

/**
 * The first place in a file of a folder that a stack trace names: the line of the learner's that led there. Types are
 * stripped by blanks (nodejs.org/api/typescript.html), so lines are those of the source.
 */
export function placeIn(folder: string, stack = ''): Place | undefined {
  for (const [, path = '', line = ''] of stack.matchAll(/((?:file:\/\/)?\/[^\s():]+):(\d+)/g)) {
    const file = path.startsWith('file:') ? fileURLToPath(path) : path
    if (file.startsWith(`${folder}/`) && !file.includes('/node_modules/')) return placeAt(file, Number(line))
  }
  return undefined
}

/** A line of a file, with its text. */
export function placeAt(file: string, line: number): Place {
  const text = existsSync(file) ? (readFileSync(file, 'utf8').split('\n')[line - 1] ?? '') : ''
  return { file: basename(file), line, text: text.trim() }
}
