import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Block } from './blocks.ts'
import { fillCode, fillRecordings } from './fill.ts'
import { type BookPage, readPages } from './page.ts'
import type { Problem } from './problem.ts'
import { canRecord, type Recorder } from './recording.ts'

export interface SyncOptions {
  /** names such as `3-root`; all pages where there is none */
  only?: string[]
  /** none: code blocks only */
  recorder?: Recorder
}

export interface Synced {
  /** the blocks that were filled in again, as `book/3-root.md:12` */
  written: string[]
  problems: Problem[]
}

/** Fills in the bodies of the book of a project, and touches nothing else of it. */
export async function syncBook(project: string, { only = [], recorder }: SyncOptions): Promise<Synced> {
  const synced: Synced = { written: [], problems: [] }
  for (const page of readPages(project, only)) {
    const fillings = [fillCode(project, page)]
    if (recorder && canRecord) fillings.push(await fillRecordings(page, recorder))
    const bodies = new Map(fillings.flatMap(filling => [...filling.bodies]).filter(isNews))
    write(project, page, bodies)
    synced.written.push(
      ...page.blocks
        .filter(block => bodies.has(block))
        .map(({ line }) => `${page.file}:${moved(line, bodies)}`),
    )
    const problems = [...page.problems, ...fillings.flatMap(filling => filling.problems)]
    synced.problems.push(...problems.map(problem => ({ ...problem, line: moved(problem.line, bodies) })))
  }
  return synced
}

const isNews = ([block, body]: [Block, string[]]) => body.join('\n') !== block.body.join('\n')

/** At once: an editor that has the page open notices each write. */
function write(project: string, { file, lines }: BookPage, bodies: Map<Block, string[]>): void {
  if (bodies.size === 0) return
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
