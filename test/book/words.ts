import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'
import type { Problem } from './problem.ts'

type Word = [pattern: RegExp, instead: string]

/** What plain English does without, and what to write instead. */
const WORDS: Word[] = [
  [/\bwhoever\b/gi, 'name the person, such as "the caller"'],
  [/\bsomebody\b/gi, 'name the person, or write "someone"'],
  [/\bnobody\b/gi, 'name the person, or write "no one"'],
  [/\bshall\b/gi, 'write "must", "should" or "will"'],
  [/\bmend(s|ed|ing)?\b/gi, 'write "fix", "repair" or "correct"'],
  [/\banew\b/gi, 'write "again"'],
  [/\btherein\b/gi, 'write "in it"'],
  [/\bthat\s+one\b(?!\s+of\b)/gi, 'name the thing'],
  [/\bof\s+(my|your|his|her|its|our|their|one's)\s+own\b/gi, 'write "its own …", "your own …"'],
]

/** There is one kind of apostrophe, in code and comments too. */
const APOSTROPHE: Word = [/[\u2018\u2019]/g, "write the straight one: '"]

/**
 * Where a file has such a word as data, or quotes another program: the words as they stand there. A comment says why. An exception
 * that a file no longer needs is a problem.
 */
const EXCEPTIONS: Record<string, string[]> = {
  'lib/image/default-recipe.ts': ['nobody:x:65534:65534:nobody:'], // a line of /etc/passwd
}

/** What people read: the pages, the other documents, and the strings in the code. */
const FILES = ['book/*.md', '*.md', '{chapters,labs,lib}/**/*.{ts,js}']

/** The words in a project that are not plain English. `only`: names of pages such as `3-root`; all files where there is none. */
export function checkWords(project: string, only: readonly string[] = []): Problem[] {
  const patterns = only.length > 0 ? only.map(name => `book/${name}.md`) : FILES
  return globSync(patterns, { cwd: project })
    .toSorted()
    .flatMap(file => checkFile(file, readFileSync(join(project, file), 'utf8')))
}

function checkFile(file: string, text: string): Problem[] {
  const allowed = EXCEPTIONS[file] ?? []
  const stale = allowed.filter(words => !text.includes(words))
  const isSuspect = WORDS.some(([pattern]) => text.search(pattern) !== -1) // most files need not be parsed
  const pieces = !isSuspect ? [] : file.endsWith('.md') ? [ofPage(text)] : ofCode(file, text)
  return [
    ...stale.map(words => ({
      file,
      line: 1,
      what: `it no longer has "${words}"`,
      remedy: 'remove the exception from test/book/words.ts',
    })),
    ...pieces
      .map(({ at, words }) => ({
        at,
        words: allowed.reduce((rest, some) => rest.replaceAll(some, hidden), words),
      }))
      .flatMap(piece => WORDS.flatMap(word => find(file, text, piece, word))),
    ...find(file, text, { at: 0, words: text }, APOSTROPHE),
  ]
}

/** Words of a file that people read, and the offset at which they stand in it. */
interface Piece {
  at: number
  words: string
}

function find(file: string, text: string, { at, words }: Piece, [pattern, remedy]: Word): Problem[] {
  return [...words.matchAll(pattern)].map(({ 0: found, index }) => ({
    file,
    line: text.slice(0, at + index).split('\n').length,
    what: `"${found.replace(/\s+/g, ' ')}" is not in plain English`,
    remedy,
  }))
}

/** Keeps offsets and lines, and ends any phrase. */
const hidden = (text: string) => text.replace(/[^\n]/g, '\0')

const FENCED = /^( *(`{3,}|~{3,}))(.*)\n[^]*?^ *\2`*$/gm
const FILLED = /^(console\b|\w+ +\S)/
const COMMENT = /<!--[^]*?-->/g
/** `code`, also in a template, where its backquotes are escaped */
const CODE = /(?<!`)(`+)(?!`)(?:(?!\n *\n)[^])*?(?<!`)\1(?!`)/g

/** The text of a page: without inline code, facts, and the blocks that book:sync fills in. */
function ofPage(text: string): Piece {
  const withoutBlocks = text.replace(FENCED, (block, fence: string, _, info: string) =>
    FILLED.test(info.trim()) ? hidden(block) : block.replaceAll(fence.trim(), hidden),
  )
  return { at: 0, words: withoutBlocks.replace(COMMENT, hidden).replace(CODE, hidden) }
}

/** The strings and templates of a program, without code in backquotes. */
function ofCode(file: string, text: string): Piece[] {
  const pieces: Piece[] = []
  const add = (at: number, written: string) =>
    pieces.push({ at, words: written.replace(CODE, hidden).replace(/\\[nrt]/g, '  ') })
  new Visitor({
    Literal({ value, start, end }) {
      if (typeof value === 'string') add(start + 1, text.slice(start + 1, end - 1))
    },
    TemplateLiteral({ expressions, start, end }) {
      let written = text.slice(start, end)
      for (const { start: from, end: to } of expressions)
        written = written.slice(0, from - start) + hidden(text.slice(from, to)) + written.slice(to - start)
      add(start + 1, written.slice(1, -1))
    },
  }).visit(parseSync(file, text).program)
  return pieces
}
