import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inOrder, parse, type Page } from '../../lib/book/pages.ts'
import { readBlock, type Block } from './blocks.ts'
import { readFacts, type Fact } from './facts.ts'
import { hint } from '../../lib/common/suggest.ts'
import { BookError, type Problem } from './problem.ts'

/** A page of the book as it is written, with what is found in it. */
export interface BookPage extends Page {
  /** as `book/3-root.md` */
  file: string
  lines: string[]
  blocks: Block[]
  /** the facts behind a recording, by the recording's line */
  facts: Map<number, Fact[]>
  /** what cannot be understood */
  problems: Problem[]
}

/**
 * The pages of `PROJECT/book`, in the book's order. `only`: names such as `3-root`; all where there is none. Throws a BookError
 * where there is no page of a name.
 */
export function readPages(project: string, only: readonly string[] = []): BookPage[] {
  const names = readdirSync(join(project, 'book')).flatMap(file => /^(.*)\.md$/.exec(file)?.[1] ?? [])
  const unknown = only.find(name => !names.includes(name))
  if (unknown !== undefined)
    throw new BookError(
      `the book has no page ${unknown}`,
      hint(unknown, names, `it has ${names.toSorted().join(', ')}`),
    )
  return inOrder(names)
    .filter(name => only.length === 0 || only.includes(name))
    .map(name => readPage(project, name))
}

function readPage(project: string, name: string): BookPage {
  const file = `book/${name}.md`
  const text = readFileSync(join(project, file), 'utf8')
  const page: BookPage = {
    ...parse(name, text),
    file,
    lines: text.split('\n'),
    blocks: [],
    facts: new Map(),
    problems: [],
  }
  let recording: Block | undefined // that a fact would belong to
  for (const token of page.tokens) {
    const line = (token.map?.[0] ?? 0) + 1
    try {
      if (token.type === 'fence') {
        recording = undefined
        const block = readBlock(token)
        if (!page.lines[block.end - 1]?.trim().startsWith(token.markup) || block.end === block.line)
          throw new BookError('a block that does not end', `close it with ${token.markup}`)
        page.blocks.push(block)
        if (block.asks.kind === 'recording') recording = block
      } else if (token.type === 'html_block') {
        const facts = readFacts(token)
        if (facts.length === 0) continue
        if (!recording) throw new BookError('a fact without a recording', 'put it right behind the block')
        page.facts.set(recording.line, [...(page.facts.get(recording.line) ?? []), ...facts])
      } else if (token.level === 0) recording = undefined
    } catch (error) {
      if (!(error instanceof BookError)) throw error
      page.problems.push({ file: page.file, line, what: error.message, remedy: error.remedy })
    }
  }
  return page
}
