import type { Block } from './blocks.ts'
import { chapters as allChapters, type Chapter } from './chapters.ts'
import { checkCommands, type Context } from './command-names.ts'
import { checkDrawings } from './drawings.ts'
import { fillCode, fillRecordings, fillShown, firstDifference, type Filling, isEmpty } from './fill.ts'
import { checkLink } from './links.ts'
import { checkErrnos, checkManPages, checkPath } from './names.ts'
import { type BookPage, madeInGuest, readPages } from './page.ts'
import { attempt, type Problem } from './problem.ts'
import type { Recorder } from './recording.ts'
import { checkSections } from './sections.ts'
import { links, spans } from './spans.ts'
import { checkWords } from './words.ts'

export interface CheckOptions {
  /** names such as `3-root`; all pages where there is none */
  only?: string[]
  /** none: recordings are not made */
  recorder?: Recorder
  /** others than those of the code */
  chapters?: readonly Chapter[]
}

export interface Checked {
  problems: Problem[]
  /** how many were looked at; `inGuest`: of the recordings, those that are made in the guest of test/vm */
  counts: {
    pages: number
    blocks: number
    recordings: number
    inGuest: number
    links: number
    names: number
  }
}

/** Whether all that the book of a project says about the project is so, in words that we want. Nothing is written. */
export async function checkBook(project: string, options: CheckOptions = {}): Promise<Checked> {
  const { only = [], recorder, chapters = await allChapters() } = options
  const pages = readPages(project, only)
  const problems = await Promise.all(
    pages.map(async page => {
      const own = chapters.find(({ number, name }) => page.name === `${number}-${name}`)
      const fillings = [fillCode(project, page)]
      if (recorder?.cgroup === page.cgroup) fillings.push(await fillRecordings(page, recorder))
      else if (page.cgroup === 2) fillings.push(fillShown(page))
      return [
        ...page.problems,
        ...(own ? checkSections(page, own) : []),
        ...empty(page),
        ...checkDrawings(page),
        ...fillings.flatMap(filling => [...filling.problems, ...stale(page, filling)]),
        ...checkNames(project, page, own ? { chapters, own } : { chapters }),
        ...checkLinks(project, page),
      ].toSorted((a, b) => a.line - b.line)
    }),
  )
  return {
    problems: [
      ...(only.length === 0 ? missing(pages, chapters) : []),
      ...problems.flat(),
      ...checkWords(project, only),
    ],
    counts: count(pages),
  }
}

function missing(pages: readonly BookPage[], chapters: readonly Chapter[]): Problem[] {
  return chapters
    .map(({ number, name }) => `book/${number}-${name}.md`)
    .filter(file => !pages.some(page => page.file === file))
    .map(file => ({ file, line: 1, what: 'there is no such page', remedy: 'each step has its chapter' }))
}

function empty(page: BookPage): Problem[] {
  return page.blocks.filter(isEmpty).map(block => ({
    file: page.file,
    line: block.line,
    what: 'an empty block',
    remedy: block.asks.kind === 'free' ? 'fill it in' : `${syncOf(page, block)} fills it in`,
  }))
}

/** The command that fills in a block. */
const syncOf = (page: BookPage, { asks }: Block) =>
  asks.kind === 'recording' && page.cgroup === 2 ? 'npm run test:vm -- --book sync' : 'npm run book:sync'

/** The blocks whose bodies are not what they have to be. */
function stale(page: BookPage, { bodies }: Filling): Problem[] {
  return [...bodies].flatMap(([block, body]) => {
    const [is, wanted] = firstDifference(block.body, body)
    if (is === wanted || isEmpty(block)) return []
    const line = block.line + 1 + block.body.findIndex((text, i) => text !== body[i])
    const what = `the block has "${is}" where ${sourceOf(block)} has "${wanted}"`
    const remedy = `${syncOf(page, block)} fills it in; read the text around it again`
    return [{ file: page.file, line, what, remedy }]
  })
}

function sourceOf({ asks }: Block): string {
  if (asks.kind === 'recording') return asks.recording.command
  return asks.kind === 'code' ? (asks.sources[0]?.file ?? '') : ''
}

function checkNames(project: string, page: BookPage, context: Context): Problem[] {
  const problems: Problem[] = []
  for (const { line, text, isCode } of spans(page)) {
    const place = { file: page.file, line }
    attempt(problems, place, () => checkErrnos(text))
    attempt(problems, place, () => checkManPages(text))
    if (!isCode) continue
    attempt(problems, place, () => checkPath(project, text))
    attempt(problems, place, () => checkCommands(text, context))
  }
  for (const { line, text } of commandLines(page))
    attempt(problems, { file: page.file, line }, () => checkCommands(text, context))
  return problems
}

/** Command lines in blocks: what is recorded, and what the reader is to type. */
function commandLines({ blocks }: BookPage): { line: number; text: string }[] {
  return blocks.flatMap(({ asks, line, language, body }) => {
    if (asks.kind === 'recording') return [{ line, text: asks.recording.command }]
    return language === 'sh' && asks.kind === 'free'
      ? body.map((text, i) => ({ line: line + 1 + i, text }))
      : []
  })
}

function checkLinks(project: string, page: BookPage): Problem[] {
  const problems: Problem[] = []
  for (const { line, target } of links(page))
    attempt(problems, { file: page.file, line }, () => checkLink(project, page.file, target))
  return problems
}

function count(pages: readonly BookPage[]): Checked['counts'] {
  const blocks = pages.flatMap(page => page.blocks)
  return {
    pages: pages.length,
    blocks: blocks.filter(({ asks }) => asks.kind === 'code').length,
    recordings: blocks.filter(({ asks }) => asks.kind === 'recording').length,
    inGuest: madeInGuest(pages).length,
    links: pages.flatMap(links).length,
    names: pages.flatMap(spans).filter(({ isCode }) => isCode).length,
  }
}
