import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Block } from './blocks.ts'
import { fillCode, fillRecordings } from './fill.ts'
import { type BookPage, madeInGuest, readPages } from './page.ts'
import { attempt, BookError, type Problem } from './problem.ts'
import type { Recorder } from './recording.ts'

export interface SyncOptions {
  /** names such as `3-root`; all pages where there is none */
  only?: string[]
  /** none: code blocks only */
  recorder?: Recorder
}

export interface Synced {
  /** the blocks that were filled in again, as `book/3-root.md:12` */
  written: string[]
  /** how many recordings of the pages are made in the guest of test/vm */
  inGuest: number
  problems: Problem[]
}

/** Fills in the bodies of the book of a project, and touches nothing else of it. */
export async function syncBook(project: string, { only = [], recorder }: SyncOptions): Promise<Synced> {
  const pages = readPages(project, only)
  const synced: Synced = { written: [], inGuest: madeInGuest(pages).length, problems: [] }
  for (const page of pages) {
    const fillings = [fillCode(project, page)]
    if (recorder?.cgroup === page.cgroup) fillings.push(await fillRecordings(page, recorder))
    const bodies = new Map(fillings.flatMap(filling => [...filling.bodies]).filter(isNews))
    attempt(synced.problems, { file: page.file, line: 1 }, () => {
      write(project, page, bodies)
      const blocks = page.blocks.filter(block => bodies.has(block))
      synced.written.push(...blocks.map(({ line }) => `${page.file}:${moved(line, bodies)}`))
    })
    const problems = [...page.problems, ...fillings.flatMap(filling => filling.problems)]
    synced.problems.push(...problems.map(problem => ({ ...problem, line: moved(problem.line, bodies) })))
  }
  return synced
}

const isNews = ([block, body]: [Block, string[]]) => body.join('\n') !== block.body.join('\n')

/** At once: an editor that has the page open notices each write. */
function write(project: string, { file, lines }: BookPage, bodies: Map<Block, string[]>): void {
  if (bodies.size === 0) return
  // recordings may have taken half an hour
  if (readFileSync(join(project, file), 'utf8') !== lines.join('\n'))
    throw new BookError(
      'the page has changed meanwhile',
      'run it again, and do not edit the page until it ends',
    )
  const text = [...lines]
  for (const [block, body] of [...bodies].toSorted(([a], [b]) => b.line - a.line))
    text.splice(block.line, block.body.length, ...body)
  writeFileSync(join(project, file), text.join('\n'))
}

/** Where a line is once the bodies are written. */
function moved(line: number, bodies: Map<Block, string[]>): number {
  const above = [...bodies].filter(([block]) => block.line < line)
  return above.reduce((sum, [block, body]) => sum + body.length - block.body.length, line)
}
