import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Token } from 'markdown-it'
import { inOrder, parse, type Page } from '../../lib/book/pages.ts'
import { hint } from '../../lib/common/suggest.ts'
import { readBlock, type Block } from './blocks.ts'
import { readFacts, type Fact } from './facts.ts'
import { BookError, type Problem } from './problem.ts'

/** A page of the book as it is written, with what is found in it. */
export interface BookPage extends Page {
  /** as `book/3-root.md` */
  file: string
  lines: string[]
  blocks: Block[]
  /** the facts behind a recording, by the recording's line */
  facts: Map<number, Fact[]>
  /** the version of cgroups that the recordings show: `<!-- recordings: cgroup v2 -->` is at the top of such a page */
  cgroup: 1 | 2
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
    cgroup: 1,
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
        page.cgroup = readCgroup(token) ?? page.cgroup
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

/** The recordings of the pages that show cgroup v2. Those are made in the guest of test/vm, whatever this machine has. */
export function madeInGuest(pages: readonly BookPage[]): Block[] {
  const blocks = pages.filter(({ cgroup }) => cgroup === 2).flatMap(page => page.blocks)
  return blocks.filter(({ asks }) => asks.kind === 'recording')
}

/** What `book:check` and `book:sync` say of them; nothing where there are none. */
export const notMadeHere = (count: number) =>
  count === 0 ? '' : ` (not run: ${count} that show cgroup v2, which npm run test:vm -- --book check runs)`

/** What a comment says about the machine of the recordings. Throws a BookError. */
function readCgroup({ content }: Token): 2 | undefined {
  const [comment, said] = /<!--\s*recordings\b(.*?)-->/s.exec(content) ?? []
  if (comment === undefined) return undefined
  if (said?.trim() === ': cgroup v2') return 2
  throw new BookError(`"${comment}" names no machine`, 'write <!-- recordings: cgroup v2 -->')
}
