import type { Token } from 'markdown-it'
import { certain } from '../common/certain.ts'
import type { CodeBlock } from './code-block.ts'

/** The sides of a cell, in the order of the digits in STROKES. */
export const [UP, RIGHT, DOWN, LEFT] = [0, 1, 2, 3] as const
export type Side = 0 | 1 | 2 | 3
export const SIDES: readonly Side[] = [UP, RIGHT, DOWN, LEFT]

/** The weights of a stroke; 0 means none. */
export const [PLAIN, HEAVY, DASHED] = [1, 2, 3] as const
export type Weight = 0 | 1 | 2 | 3

/** For each box character its strokes from the cell's centre: up, right, down, left. */
const STROKES: Record<string, string> = {
  ...{ '─': '0101', '│': '1010', '┼': '1111', '├': '1110', '┤': '1011', '┬': '0111', '┴': '1101' },
  ...{
    '┌': '0110',
    '┐': '0011',
    '└': '1100',
    '┘': '1001',
    '╭': '0110',
    '╮': '0011',
    '╰': '1100',
    '╯': '1001',
  },
  ...{ '═': '0202', '║': '2020', '╬': '2222', '╠': '2220', '╣': '2022', '╦': '0222', '╩': '2202' },
  ...{ '╔': '0220', '╗': '0022', '╚': '2200', '╝': '2002', '━': '0202', '┃': '2020' },
  ...{ '╪': '1212', '╤': '0212', '╧': '1202', '╞': '1210', '╡': '1012' },
  ...{ '╫': '2121', '╥': '0121', '╨': '2101', '╟': '2120', '╢': '2021' },
  ...{ '┄': '0303', '┈': '0303', '╌': '0303', '┆': '3030', '┊': '3030', '╎': '3030' },
}

/** The direction of each arrowhead. */
const HEADS: Record<string, Side> = { '▲': UP, '▶': RIGHT, '▼': DOWN, '◀': LEFT }
/** Inside text these are characters; at the end of a line they are its arrowhead. */
const ARROWS: Record<string, Side> = { '↑': UP, '→': RIGHT, '↓': DOWN, '←': LEFT }

/** One character of a drawing and its position. */
export interface Cell {
  char: string
  x: number
  y: number
  /** the weight of the stroke to each side */
  arms: [Weight, Weight, Weight, Weight]
  /** the direction of the arrowhead in this cell */
  head?: Side
}

/** Whether a code block is a drawing: its text contains characters that become lines. */
export const isDrawing = ({ language, text }: CodeBlock): boolean =>
  language === 'text' && Array.from(text).some(char => char in STROKES || char in HEADS)

/** The sentence that a comment before a drawing gives as its description: `<!-- picture: one sentence -->`. */
export function pictureOf(before: Token | undefined): string | undefined {
  const [, picture] = /^\s*<!--\s*picture:(.*?)-->\s*$/s.exec(before?.content ?? '') ?? []
  return picture?.trim().replace(/\s+/g, ' ')
}

export const opposite = (side: Side) => ((side + 2) % 4) as Side
export const isBlank = ({ char }: Cell) => char.trim() === ''
/** Whether a cell is text, not a part of a line. */
export const isText = (cell: Cell) => !isBlank(cell) && !isStroke(cell) && cell.head === undefined
export const isStroke = ({ arms }: Cell) => arms.some(Boolean)
/** Whether a cell has strokes to exactly these sides. */
export const reaches = ({ arms }: Cell, ...sides: Side[]) =>
  SIDES.every(side => Boolean(arms[side]) === sides.includes(side))
/** Whether a cell is a corner, a tee or a cross, not only a piece of a line. */
export const isJunction = ({ arms }: Cell) => Boolean((arms[UP] || arms[DOWN]) && (arms[LEFT] || arms[RIGHT]))
export const isBend = (cell: Cell) => isJunction(cell) && cell.arms.filter(Boolean).length === 2

/** The characters of a drawing by position. Everything outside is blank. */
export class Cells {
  readonly rows: Cell[][]

  constructor(text: string) {
    this.rows = text.split('\n').map((line, y) =>
      Array.from(line, (char, x): Cell => {
        const arms = Array.from(STROKES[char] ?? '0000', Number) as Cell['arms']
        const head = HEADS[char]
        return { char, x, y, arms, ...(head !== undefined && { head }) }
      }),
    )
    for (const cell of this.all()) this.#pointed(cell)
    for (const cell of this.all()) this.#crossed(cell)
  }

  all(): Cell[] {
    return this.rows.flat()
  }

  at(x: number, y: number): Cell {
    return this.rows[y]?.[x] ?? { char: ' ', x, y, arms: [0, 0, 0, 0] }
  }

  next({ x, y }: Cell, side: Side): Cell {
    const [dx, dy] = certain(STEPS[side])
    return this.at(x + dx, y + dy)
  }

  /** The weight of the neighbour's stroke towards this cell. */
  towards(cell: Cell, side: Side): Weight {
    return this.next(cell, side).arms[opposite(side)]
  }

  /** Extends a line into the arrowhead at its end. */
  #pointed(cell: Cell): void {
    const head = cell.head ?? ARROWS[cell.char]
    if (head === undefined) return
    const tail = opposite(head)
    const weight = this.towards(cell, tail)
    if (!weight) return
    cell.head = head
    cell.arms[tail] = weight
  }

  /** Continues a line behind an arrowhead, or behind a line in the other direction, that interrupts it: `──▲──`, `──┊──`. */
  #crossed(cell: Cell): void {
    if (cell.head === undefined && !isStroke(cell)) return
    for (const [one, other] of [
      [LEFT, RIGHT],
      [UP, DOWN],
    ] as const) {
      const weights = [this.towards(cell, one), this.towards(cell, other)] as const
      if (cell.arms[one] || cell.arms[other] || !weights[0] || !weights[1]) continue
      cell.arms[one] = weights[0]
      cell.arms[other] = weights[1]
    }
  }
}

const STEPS = [
  [0, -1],
  [1, 0],
  [0, 1],
  [-1, 0],
] as const
