import { readFileSync, statSync } from 'node:fs'
import type { Shape } from './shape.ts'

/** Why a file holds no document of a shape. */
export type Unfit = 'no file' | 'too large' | 'no JSON' | 'another shape'

/**
 * The document in a file, or why it has none. Reads at most `most` bytes: Node would read an endless or sparse file until
 * memory runs out, and would wait at a FIFO. Throws where the file cannot be read.
 */
export function readJson<T extends object>(path: string, shape: Shape<T>, most = 2 ** 24): T | Unfit {
  const stat = statSync(path)
  if (!stat.isFile()) return 'no file'
  if (stat.size > most) return 'too large'
  const document = parse(readFileSync(path, 'utf8'))
  if (document === undefined) return 'no JSON'
  return shape(document) ? document : 'another shape'
}

/** The document in a text; undefined if it is not JSON, or has another shape. */
export function parseJson<T>(text: string, shape: Shape<T>): T | undefined {
  const document = parse(text)
  return shape(document) ? document : undefined
}

/** The parsed text; undefined if it is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
