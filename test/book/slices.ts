import { BookError } from './problem.ts'

/** Lines from the first that contains `first` to the next that contains `last`; one line where there is no `last`. */
export interface Slice {
  first: string
  last?: string
}

/** `first words…last words`: either may be missing, which means from the beginning or to the end. */
export function parseSlice(text: string): Slice {
  const [first = '', last] = text.split('…', 2).map(words => words.trim())
  if (!first && !last)
    throw new BookError(`"${text.trim()}" chooses no lines`, 'write first words…last words')
  return last === undefined ? { first } : { first, last }
}

export interface SliceOptions {
  /** whether `…` also stands for what is left out before the first and after the last slice */
  ends: boolean
  /** what the lines are of, for messages */
  of: string
}

/** The lines that the slices choose, in order, with a line `…` for those left out between them. No slice: all. */
export function choose(
  lines: readonly string[],
  slices: readonly Slice[],
  { ends, of }: SliceOptions,
): string[] {
  if (slices.length === 0) return [...lines]
  const chosen: string[] = []
  let next = 0
  for (const slice of slices) {
    const [from, to] = find(lines, slice, next, of)
    if (next > 0 || ends) chosen.push(...gap(lines, next, from, ends))
    chosen.push(...lines.slice(from, to + 1))
    next = to + 1
  }
  return ends ? [...chosen, ...gap(lines, next, lines.length, ends)] : dedent(chosen)
}

/** Without the indentation that all lines share. */
export function dedent(lines: readonly string[]): string[] {
  const indents = lines.filter(line => line.trim()).map(line => /^\s*/.exec(line)![0].length)
  return lines.map(line => line.slice(Math.min(...indents)))
}

function find(lines: readonly string[], { first, last }: Slice, next: number, of: string): [number, number] {
  const seek = (words: string, start: number) => {
    const at = lines.findIndex((line, i) => i >= start && line.includes(words))
    if (at !== -1) return at
    const before = lines.some(line => line.includes(words))
    throw new BookError(
      `no line of ${of} contains "${words}"${before ? ' there' : ''}`,
      before ? 'parts are chosen from top to bottom' : 'choose it by words that are in it',
    )
  }
  const from = first ? seek(first, next) : next
  if (last === undefined) return [from, from]
  return [from, last ? seek(last, first ? from + 1 : from) : lines.length - 1]
}

/** What stands for lines left out: nothing where there are none, and blank ones stay as they are. */
function gap(lines: readonly string[], from: number, to: number, margin: boolean): string[] {
  const left = lines.slice(from, to)
  if (left.every(line => line.trim() === '')) return left
  const indent = margin ? '' : (/^\s*/.exec(lines[to] ?? '')?.[0] ?? '')
  return [`${indent}…`]
}
