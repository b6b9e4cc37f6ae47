import { codeBlock } from '../../lib/book/code-block.ts'
import {
  type Cell,
  Cells,
  DOWN,
  isBend,
  isBlank,
  isDrawing,
  isJunction,
  isText,
  LEFT,
  pictureOf,
  RIGHT,
  type Side,
  SIDES,
  UP,
} from '../../lib/book/drawing-cells.ts'
import type { BookPage } from './page.ts'
import type { Problem } from './problem.ts'

/** A drawing is as wide as a terminal of 80 columns shows it, behind the margin of a page. */
const COLUMNS = 76

/** What is wrong with the drawings of a page: they are read in a terminal, and the site makes lines of their characters. */
export function checkDrawings({ file, tokens }: BookPage): Problem[] {
  const problems: Problem[] = []
  const add = (line: number, what: string, remedy: string) => problems.push({ file, line, what, remedy })
  for (const [i, token] of tokens.entries()) {
    const line = (token.map?.[0] ?? 0) + 1
    const block = token.type === 'fence' ? codeBlock(token) : undefined
    const isDrawn = block !== undefined && isDrawing(block)
    if (token.type === 'html_block' && pictureOf(token) !== undefined && !isPictured(tokens[i + 1]))
      add(line, 'a picture comment without a drawing', 'put it right before the block')
    if (!isDrawn) continue
    if (!pictureOf(tokens[i - 1]))
      add(
        line,
        'a drawing without a picture comment',
        'say before it what it shows: <!-- picture: one sentence -->',
      )
    for (const { y, what, remedy } of [...tooLong(block.text), ...misfits(new Cells(block.text))])
      add(line + 1 + y, what, remedy)
  }
  return problems
}

const isPictured = (token: BookPage['tokens'][number] | undefined) =>
  token?.type === 'fence' && isDrawing(codeBlock(token))

interface Misfit {
  /** counted from 0 */
  y: number
  what: string
  remedy: string
}

function tooLong(text: string): Misfit[] {
  return text.split('\n').flatMap((line, y) => {
    const { length } = Array.from(line)
    const remedy = `at most ${COLUMNS} fit`
    return length > COLUMNS ? [{ y, what: `a line of a drawing has ${length} columns`, remedy }] : []
  })
}

/** Strokes that end where something should continue them: what was moved apart by a change. */
function misfits(cells: Cells): Misfit[] {
  return cells.all().flatMap(cell =>
    SIDES.filter(side => cell.arms[side] && endsInNothing(cells, cell, side)).map(side => ({
      y: cell.y,
      what: `the "${cell.char}" in column ${cell.x + 1} joins nothing ${WHERE[side]}`,
      remedy: 'align it with what should go on there',
    })),
  )
}

const WHERE = { [UP]: 'above it', [RIGHT]: 'to its right', [DOWN]: 'below it', [LEFT]: 'to its left' }

function endsInNothing(cells: Cells, cell: Cell, side: Side): boolean {
  const next = cells.next(cell, side)
  if (cells.towards(cell, side) || next.head !== undefined || cell.head !== undefined) return false
  // the branch of a tree hangs below a word; another corner's side has been written over
  if (isText(next)) return isBend(cell) && !(side === UP && cell.arms[RIGHT])
  if (!isBlank(next)) return true
  if (isJunction(cell)) return true
  // a line may stop below or above a word, which is not always as long as to have a letter just there …
  if (side === UP || side === DOWN) return ![LEFT, RIGHT].some(beside => isText(cells.next(next, beside)))
  // … or before one; but what comes from a corner is a box's side
  return isText(cells.next(next, side)) ? false : isBend(begin(cells, cell, side))
}

/** Where the line begins that ends on one side. */
function begin(cells: Cells, cell: Cell, end: Side): Cell {
  const back = end === RIGHT ? LEFT : RIGHT
  while (cell.arms[back] && cells.towards(cell, back)) cell = cells.next(cell, back)
  return cell
}
