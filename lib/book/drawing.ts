import { certain } from '../common/certain.ts'
import {
  type Cell,
  Cells,
  DASHED,
  DOWN,
  HEAVY,
  isBend,
  isBlank,
  isStroke,
  isText,
  LEFT,
  opposite,
  PLAIN,
  reaches,
  RIGHT,
  type Side,
  SIDES,
  UP,
  type Weight,
} from './drawing-cells.ts'
import { html, type Html } from './html.ts'

/** The size of a cell, and of its type, in units of the view box: one pixel each at the drawing's natural size. */
const [WIDTH, HEIGHT, TYPE] = [8, 18, 13.3]
const BASELINE = 13
/** The radius of corners. */
const ROUND = 4
const HEAD = { long: 8, half: 4 }
/** The free space between an arrowhead and the line that it points to, and around the drawing. */
const GAP = 1

/** A drawing of the book as SVG. `picture` describes it in a sentence. */
export function drawing(text: string, picture: string): Html {
  const cells = new Cells(text)
  const boxes = boxesOf(cells)
  const shown = [
    ...boxes.map(rect),
    ...lines(cells, boxes),
    ...cells.all().flatMap(cell => head(cells, cell)),
    ...cells.rows.flatMap(row => rowText(row, boxes)),
  ]
  const columns = cells.all().flatMap(cell => (isBlank(cell) ? [] : [cell.x]))
  const left = Math.min(...columns) * WIDTH - GAP
  const width = (Math.max(...columns) + 1) * WIDTH + GAP - left
  const size = html`width="${(width / TYPE).toFixed(2)}em"`
  const view = [left, 0, width, cells.rows.length * HEIGHT].join(' ')
  return html`<svg role="img" aria-label="${picture}" ${size} viewBox="${view}">${shown}</svg>`
}

const middle = ({ x, y }: Cell) => ({ x: (x + 0.5) * WIDTH, y: (y + 0.5) * HEIGHT })
const isUpright = (side: Side) => side === UP || side === DOWN
/** On the screen x grows to the right, y downwards. */
const sign = (side: Side) => (side === RIGHT || side === DOWN ? 1 : -1)

/** A closed rectangle: its top left and bottom right corners. */
interface Box {
  from: Cell
  to: Cell
}

/** The closed rectangles of a drawing, outer before inner. */
function boxesOf(cells: Cells): Box[] {
  return cells.all().flatMap(from => {
    if (!reaches(from, RIGHT, DOWN)) return []
    const [right, below] = [along(cells, from, RIGHT), along(cells, from, DOWN)]
    const [to, same] = [along(cells, right, DOWN), along(cells, below, RIGHT)]
    const isClosed =
      to === same && reaches(right, LEFT, DOWN) && reaches(below, UP, RIGHT) && reaches(to, UP, LEFT)
    return isClosed ? [{ from, to }] : []
  })
}

/** The last cell of the line that leaves a cell to one side. A title may interrupt the line: `┌─ host ─┐`. */
function along(cells: Cells, cell: Cell, side: Side): Cell {
  if (!cell.arms[side]) return cell
  const behind = cells.rows[cell.y]?.find(other => other.x > cell.x && isStroke(other))
  const next = (side === RIGHT && behind) || cells.next(cell, side)
  return next.arms[opposite(side)] ? along(cells, next, side) : cell
}

function rect({ from, to }: Box): Html {
  const { x, y } = middle(from)
  const [width, height] = [middle(to).x - x, middle(to).y - y]
  return html`<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="${ROUND}" />`
}

/** Whether a stroke is part of a rectangle's border. */
function isBorder({ from, to }: Box, { x, y }: Cell, side: Side): boolean {
  const [at, begin, end] = isUpright(side) ? [x, from.y, to.y] : [y, from.x, to.x]
  const place = isUpright(side) ? y : x
  const borders = isUpright(side) ? [from.x, to.x] : [from.y, to.y]
  const other = place + sign(side)
  return borders.includes(at) && Math.min(place, other) >= begin && Math.max(place, other) <= end
}

/** A straight piece of a line; `at` is its position across its direction. */
interface Piece {
  weight: Weight
  upright: boolean
  at: number
  from: number
  to: number
}

const LOOKS = { [PLAIN]: 'plain', [HEAVY]: 'heavy', [DASHED]: 'dashed' }

/** The strokes that belong to no rectangle: one path for each weight. */
function lines(cells: Cells, boxes: readonly Box[]): Html[] {
  const open = cells.all().map((cell): Cell => {
    const weight = (side: Side) => (boxes.some(box => isBorder(box, cell, side)) ? 0 : cell.arms[side])
    return { ...cell, arms: [weight(UP), weight(RIGHT), weight(DOWN), weight(LEFT)] }
  })
  const straight = joined(open.flatMap(cell => SIDES.flatMap(side => piece(cells, cell, side))))
  return Object.entries(LOOKS).flatMap(([weight, look]) => {
    const own = ({ weight: other }: { weight: Weight }) => other === Number(weight)
    const path = [
      ...straight.filter(own).map(straightPath),
      ...open
        .flatMap(bend)
        .filter(own)
        .map(({ path }) => path),
    ]
    return path.length ? [html`<path class="${look}" d="${path.join('')}" />`] : []
  })
}

/** The stroke from a cell to one side. It starts at the cell's centre, at the bend of a corner, or at the base of the arrowhead. */
function piece(cells: Cells, cell: Cell, side: Side): Piece[] {
  const weight = cell.arms[side]
  const upright = isUpright(side)
  const { x, y } = middle(cell)
  const [centre, at, half] = upright ? [y, x, HEIGHT / 2] : [x, y, WIDTH / 2]
  const begin =
    cell.head === opposite(side)
      ? tip(cells, cell, cell.head) + sign(side) * HEAD.long
      : centre + (isBend(cell) ? sign(side) * ROUND : 0)
  const end = centre + sign(side) * half
  if (!weight || (end - begin) * sign(side) <= 0) return []
  return [{ weight, upright, at, from: Math.min(begin, end), to: Math.max(begin, end) }]
}

/** Joins pieces that touch. */
function joined(pieces: readonly Piece[]): Piece[] {
  const line = ({ upright, at, weight }: Piece) => `${upright} ${at} ${weight}`
  return [...Map.groupBy(pieces, line).values()].flatMap(group => {
    const whole: Piece[] = []
    for (const piece of group.toSorted((a, b) => a.from - b.from)) {
      const last = whole.at(-1)
      if (last && last.to >= piece.from) last.to = Math.max(last.to, piece.to)
      else whole.push({ ...piece })
    }
    return whole
  })
}

const straightPath = ({ upright, at, from, to }: Piece) =>
  upright ? `M${at} ${from}V${to}` : `M${from} ${at}H${to}`

/** A corner that belongs to no rectangle. */
function bend(cell: Cell): { weight: Weight; path: string }[] {
  if (!isBend(cell)) return []
  const { x, y } = middle(cell)
  const [across, along] = [cell.arms[LEFT] ? -ROUND : ROUND, cell.arms[UP] ? -ROUND : ROUND]
  const weight = cell.arms[UP] || cell.arms[DOWN]
  return [{ weight, path: `M${x} ${y + along}Q${x} ${y} ${x + across} ${y}` }]
}

/** The position of an arrowhead's tip, in its direction: at the line that it touches, otherwise at the end of its cell. */
function tip(cells: Cells, cell: Cell, side: Side): number {
  const { x, y } = middle(cell)
  const [centre, size] = isUpright(side) ? [y, HEIGHT] : [x, WIDTH]
  const across: Side[] = isUpright(side) ? [LEFT, RIGHT] : [UP, DOWN]
  const isLine = ({ arms }: Cell) => across.every(side => arms[side])
  if (isLine(cell)) return centre - sign(side) * GAP
  return centre + sign(side) * (isLine(cells.next(cell, side)) ? size - GAP : size / 2)
}

function head(cells: Cells, cell: Cell): Html[] {
  if (cell.head === undefined) return []
  const { x, y } = middle(cell)
  const point = tip(cells, cell, cell.head)
  const base = point - sign(cell.head) * HEAD.long
  const corners = isUpright(cell.head)
    ? [
        [x, point],
        [x - HEAD.half, base],
        [x + HEAD.half, base],
      ]
    : [
        [point, y],
        [base, y - HEAD.half],
        [base, y + HEAD.half],
      ]
  return [html`<path class="head" d="M${corners.map(([x, y]) => `${x} ${y}`).join('L')}Z" />`]
}

/** The text of a row. Two blanks end a run: the text after them is in a column, which must not move. */
function rowText(row: readonly Cell[], boxes: readonly Box[]): Html[] {
  const mask = row.map(cell => (isText(cell) ? 'x' : isBlank(cell) ? ' ' : '|')).join('')
  return [...mask.matchAll(/x+( x+)*/g)].map(({ index: x, 0: { length } }) => {
    const { y } = certain(row[x])
    const around = boxes.filter(({ from, to }) => x > from.x && x < to.x && y >= from.y && y <= to.y)
    const isTitle = around.some(({ from, to }) => y === from.y || y === to.y)
    const look = isTitle ? html`class="title"` : boxes.length && !around.length ? html`class="note"` : ''
    const position = html`x="${x * WIDTH}" y="${y * HEIGHT + BASELINE}" textLength="${length * WIDTH}"`
    const run = row.slice(x, x + length).map(({ char }) => char)
    return html`<text ${position} ${look}>${run.join('')}</text>`
  })
}
