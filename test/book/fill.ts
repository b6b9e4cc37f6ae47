import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Block, Source } from './blocks.ts'
import { brokenFacts, type Fact } from './facts.ts'
import { withValues } from './normalise.ts'
import type { BookPage } from './page.ts'
import { attempt, BookError, type Problem } from './problem.ts'
import { recordedBodies } from './recorded-body.ts'
import type { Recorder, Recording } from './recording.ts'
import { choose } from './slices.ts'
import { definition } from './symbols.ts'

/** What the bodies of a page's blocks have to be, by the code or by the kernel; and why some cannot be had. */
export interface Filling {
  bodies: Map<Block, string[]>
  problems: Problem[]
}

/** The bodies of the code blocks, from the sources of `project`. */
export function fillCode(project: string, { file, blocks }: BookPage): Filling {
  const filling: Filling = { bodies: new Map(), problems: [] }
  for (const block of blocks)
    if (block.asks.kind === 'code') {
      const { sources } = block.asks
      attempt(filling.problems, { file, line: block.line }, () => {
        const parts = sources.map(source => code(project, source))
        filling.bodies.set(
          block,
          parts.flatMap((lines, i) => (i === 0 ? lines : ['', ...lines])),
        )
      })
    }
  return filling
}

function code(project: string, { file, symbol, slices }: Source): string[] {
  const path = join(project, file)
  if (!existsSync(path) || !statSync(path).isFile())
    throw new BookError(`there is no file ${file}`, 'name it from the top of the repository')
  const text = readFileSync(path, 'utf8')
  const lines = symbol ? definition(file, text, symbol) : text.replace(/\n$/, '').split('\n')
  return choose(lines, slices, { ends: false, of: symbol ? `${file}#${symbol}` : file })
}

/** The bodies of the recordings; none for those whose facts do not hold, or whose output is another each time. */
export async function fillRecordings(page: BookPage, recorder: Recorder): Promise<Filling> {
  const filling: Filling = { bodies: new Map(), problems: [] }
  const byCommand = Map.groupBy(page.blocks, ({ asks }) =>
    asks.kind === 'recording' ? asks.recording.command : '',
  )
  byCommand.delete('')
  await Promise.all(
    [...byCommand].map(async ([command, blocks]) => {
      const first = { file: page.file, line: blocks[0]?.line ?? 1 }
      try {
        await fillFrom(page, command, blocks, recorder, filling)
      } catch (error) {
        if (!(error instanceof BookError)) throw error
        filling.problems.push({ ...first, what: error.message, remedy: error.remedy })
      }
    }),
  )
  return filling
}

/**
 * What the recordings would be if the commands printed what the blocks show, for recordings that cannot be made here: a body that
 * is right is a recording of itself. Each fact has to hold for the lines that are shown.
 */
export function fillShown({ file, blocks, facts }: BookPage): Filling {
  const filling: Filling = { bodies: new Map(), problems: [] }
  for (const block of blocks) {
    if (block.asks.kind !== 'recording' || isEmpty(block)) continue
    const { command } = block.asks.recording
    const recording = shownBy(block)
    const bodies = recordedBodies(file, [block], recording, filling.problems)
    for (const [of, body] of bodies) filling.bodies.set(of, body)
    attempt(filling.problems, { file, line: block.line }, () => {
      const shown = { of: `what is shown of ${command}`, text: withValues(recording.output) }
      filling.problems.push(...brokenFacts(file, factsOf(block, facts), shown))
    })
  }
  return filling
}

/** What a block shows, between the command and the exit status. */
function shownBy({ body }: Block): Recording {
  const [, status] = /^\[exit status (\d+)\]$/.exec(body.at(-1) ?? '') ?? []
  const lines = body.slice(1, status === undefined ? undefined : -1)
  return { output: lines.map(line => `${line}\n`).join(''), status: Number(status ?? 0) }
}

export const isEmpty = ({ body }: Block) => body.every(line => line.trim() === '')

/** Throws a BookError where there is none. */
function factsOf({ line }: Block, facts: BookPage['facts']): Fact[] {
  const asserted = facts.get(line) ?? []
  if (asserted.length === 0)
    throw new BookError('a recording without a fact', 'put <!-- fact: /…/ --> right behind the block')
  return asserted
}

async function fillFrom(
  { file, facts }: BookPage,
  command: string,
  blocks: Block[],
  recorder: Recorder,
  { bodies, problems }: Filling,
): Promise<void> {
  const recording = await recorder.make(command)
  const recorded = recordedBodies(file, blocks, recording, problems)
  const news = [...recorded].some(([block, body]) => body.join('\n') !== block.body.join('\n'))
  // a body that is news is taken only if it can be had twice
  const twice = news ? recordedBodies(file, blocks, await recorder.makeAgain(command), []) : recorded
  for (const [block, body] of recorded) {
    const place = { file, line: block.line }
    attempt(problems, place, () => {
      const printed = { of: `the output of ${command}`, text: recording.output }
      const broken = brokenFacts(file, factsOf(block, facts), printed)
      problems.push(...broken)
      if (broken.length > 0) return
      const [one, other] = firstDifference(body, twice.get(block) ?? [])
      if (one !== other)
        throw new BookError(
          `${command} does not print the same twice: first "${one}", then "${other}"`,
          'show other lines of it, or give what varies a name in test/book/normalise.ts',
        )
      bodies.set(block, body)
    })
  }
}

/** The first two lines that differ; equal where none does. */
export function firstDifference(one: readonly string[], other: readonly string[]): [string, string] {
  const at = Array.from({ length: Math.max(one.length, other.length) }, (_, i) => i).find(
    i => one[i] !== other[i],
  )
  return at === undefined ? ['', ''] : [one[at] ?? '(its end)', other[at] ?? '(its end)']
}
