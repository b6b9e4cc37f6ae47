import { readFileSync, statSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { ownFolder } from '../common/own-folder.ts'
import { codeBlock } from './code-block.ts'
import { target } from './links.ts'
import type { Page } from './pages.ts'

/** A place in minilab's sources that the book shows or mentions. */
export interface Source {
  /** relative to the checkout */
  path: string
  /** a definition in it, such as `Rtnetlink.setUp`; '' for the whole file */
  symbol: string
}

/** Reads the source in a code block's info string: `lib/container/parts/root.ts#root:first…last`. */
export function readSource(text: string): Source {
  const [, path = '', symbol = ''] = /^([^\s#]+)(?:#([\w$#.]*))?/.exec(text) ?? []
  return { path, symbol }
}

/** All places in the sources that these pages link to. */
export function sourcesOf(pages: readonly Page[]): Source[] {
  const tokens = pages.flatMap(({ tokens }) => tokens.flatMap(token => [token, ...(token.children ?? [])]))
  return tokens.flatMap(token => {
    if (token.type === 'fence') return codeBlock(token).sources.map(({ source }) => readSource(source))
    const found = token.type === 'link_open' ? target(String(token.attrGet('href') ?? '')) : undefined
    return found?.to === 'source' ? { path: found.path, symbol: '' } : []
  })
}

/** The text of a source file; undefined if it does not exist, because the npm package does not have all of them. */
export function sourceText(path: string): string | undefined {
  const file = join(ownFolder, path)
  const isOurs = path !== '' && !normalize(path).startsWith('..')
  const isFile = isOurs && (statSync(file, { throwIfNoEntry: false })?.isFile() ?? false)
  return isFile ? readFileSync(file, 'utf8') : undefined
}

/** The file name of the page for a source file. All pages are in one folder, so links are the same on every page. */
export const sourcePage = (path: string): string => `source.${path.replaceAll('/', '.')}.html`

/** The link to a place in the sources; undefined if the site does not have the file. */
export function sourceLink({ path, symbol }: Source): string | undefined {
  const text = sourceText(path)
  if (text === undefined) return undefined
  return sourcePage(path) + (definition(text, symbol) === undefined ? '' : `#${symbol}`)
}

const WORDS = '(?:(?:export|default|async|static|readonly|get|function[*]?|const|let|class|interface|type) +)'

/** The index of a definition in a file; for `Rtnetlink.setUp`, the first setUp after Rtnetlink. */
export function definition(text: string, symbol: string): number | undefined {
  if (!symbol) return undefined
  let at: number | undefined
  for (const name of symbol.split('.')) {
    // a call of it at the beginning of a statement would be indented
    const line = new RegExp(
      `^${at === undefined ? `${WORDS}+` : ` *${WORDS}*`}${RegExp.escape(name)}(?![\\w$.])`,
      'gm',
    )
    line.lastIndex = at ?? 0
    at = line.exec(text)?.index
    if (at === undefined) return undefined
  }
  return at
}
