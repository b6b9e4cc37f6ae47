import { readFileSync, statSync } from 'node:fs'
import type { Shape } from './shape.ts'

/** Why a file is no document of a shape. */
export type Unfit = 'no file' | 'too large' | 'no JSON' | 'another shape'

/**
 * The document in a file, or why it has none. `most` bytes are read: Node would go on reading a file without end (or a sparse
 * one) until there is no memory left, and would wait at a FIFO. Throws where the file cannot be read.
 */
export function readJson<T extends object>(path: string, shape: Shape<T>, most = 2 ** 24): T | Unfit {
  const stat = statSync(path)
  if (!stat.isFile()) return 'no file'
  if (stat.size > most) return 'too large'
  const document = parse(readFileSync(path, 'utf8'))
  if (document === undefined) return 'no JSON'
  return shape(document) ? document : 'another shape'
}

/** The document in a text; undefined where it is not JSON, or of another shape. */
export function parseJson<T>(text: string, shape: Shape<T>): T | undefined {
  const document = parse(text)
  return shape(document) ? document : undefined
}

/** undefined where it is not JSON */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
