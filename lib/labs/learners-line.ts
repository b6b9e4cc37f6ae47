import { existsSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { SourceLine } from '../common/errors.ts'
import { readLearners } from './read-learners.ts'

/**
 * The innermost line of a stack trace that is in a file of this folder. The exported name is taken from the outermost such
 * line, which called the others. Node replaces types with blanks (nodejs.org/api/typescript.html), so line numbers are those of
 * the source.
 */
export function placeIn(folder: string, stack = ''): SourceLine | undefined {
  const places = [...stack.matchAll(/((?:file:\/\/)?\/[^\s():]+):(\d+)/g)]
    .map(([, path = '', line]) => ({
      file: path.startsWith('file:') ? fileURLToPath(path) : path,
      line: Number(line),
    }))
    .filter(({ file }) => file.startsWith(`${folder}/`) && !file.includes('/node_modules/'))
  const [first, last] = [places[0], places.at(-1)]
  return first && last && placeAt(first.file, first.line, last)
}

/** A line of a file, with its text. `outer`: the line whose exported name it gets, if that is another. */
export function placeAt(file: string, line: number, outer = { file, line }): SourceLine {
  const text = linesOf(file)[line - 1] ?? ''
  const above = linesOf(outer.file).slice(0, outer.line)
  const within = above.findLast(other => EXPORT.test(other))?.match(EXPORT)?.[1]
  return { file: basename(file), line, text: text.trim(), ...(within !== undefined && { within }) }
}

const EXPORT = /^export (?:async )?(?:function\*?|const|let) (\w+)/

const linesOf = (file: string) => (existsSync(file) ? readLearners(file).toString().split('\n') : [])
