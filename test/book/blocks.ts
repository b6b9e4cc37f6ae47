import type { Token } from 'markdown-it'
import { BookError } from './problem.ts'
import { parseSlice, type Slice } from './slices.ts'

/** A fenced block as it stands in a page. */
export interface Block {
  /** of its first fence, counted from 1 */
  line: number
  /** of its last line, the closing fence */
  end: number
  language: string
  /** the lines between the fences */
  body: string[]
  asks: Asks
}

/** What the info string asks for: code of a file, a recording, or nothing (the body is the author's). */
type Asks = { kind: 'code'; sources: Source[] } | { kind: 'recording'; recording: Asked } | { kind: 'free' }

export interface Source {
  file: string
  /** a definition in the file; the whole file where there is none */
  symbol?: string
  slices: Slice[]
}

/** A recording: a command line for sh, and which lines of its output are shown. */
interface Asked {
  command: string
  slices: Slice[]
}

const FENCE = '```ts lib/container/parts/root.ts#root'

/** Reads a fence. Throws a BookError where its info string is not of the book's format. */
export function readBlock(token: Token): Block {
  const [from = 0, to = 0] = token.map ?? []
  const body = token.content.split('\n').slice(0, -1)
  const [language = '', ...words] = token.info.trim().split(/\s+/)
  const asks = readInfo(language, token.info.trim().slice(language.length).trim(), words)
  if (token.level > 0 && asks.kind !== 'free')
    throw new BookError(
      'a block that is filled in stands in a list or a quotation',
      'put it at the left margin',
    )
  return { line: from + 1, end: to, language, body, asks }
}

function readInfo(language: string, rest: string, words: string[]): Asks {
  if (language === 'console') return { kind: 'recording', recording: readRecording(rest) }
  if (words.length > 0) return { kind: 'code', sources: readSources(language, rest) }
  if (language === 'ts')
    throw new BookError('a ts block that does not say where it is from', `name its source: ${FENCE}`)
  return { kind: 'free' }
}

/** `minilab step 3 --yes --plain # first words…last words # other words…words` */
function readRecording(rest: string): Asked {
  const [command = '', ...slices] = ` ${rest}`.split(' # ').map(part => part.trim())
  if (!command) throw new BookError('a recording without a command line', 'write it behind console')
  return { command, slices: slices.map(parseSlice) }
}

/** `lib/container/parts/root.ts#root:first words…last words | other words | lib/container/parts/root.ts#devices` */
function readSources(language: string, rest: string): Source[] {
  const sources: Source[] = []
  for (const part of rest.split(' | ')) {
    const last = sources.at(-1)
    if (last?.slices.length && !/^[^\s#]+\.ts#/.test(part)) last.slices.push(parseSlice(part))
    else sources.push(readSource(language, part))
  }
  return sources
}

function readSource(language: string, text: string): Source {
  const [, file = '', chosen = ''] = /^([^#\s]+)(?:#(.*))?$/.exec(text) ?? []
  const isCode = language === 'ts'
  const [, symbol, words] = (isCode ? /^([\w$#.]*)(?::(.*))?$/ : /^()(.*)$/).exec(chosen) ?? []
  if (!file || (isCode && !symbol && !words))
    throw new BookError(`"${text}" does not say where the block is from`, `as in ${FENCE}`)
  const slices = words ? [parseSlice(words)] : []
  return symbol ? { file, symbol, slices } : { file, slices }
}
