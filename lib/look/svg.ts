import { html, Html } from '../book/html.ts'
import { wrap } from '../guide/text.ts'
import { clean, cut, cutPath } from './terminal-text.ts'

/** A part of a picture: SVG elements starting at (0, 0), and their height. */
export interface Piece {
  height: number
  body: Html[]
}

/** Type sizes in units of the view box, which is 1600 wide; it must be readable from the last row of a room. */
const SIZES = { huge: 60, large: 42, title: 26, name: 24, mono: 22, note: 20, small: 18, tiny: 16 } as const
export type Size = keyof typeof SIZES
const ADVANCE = 0.61 // the width of a character relative to its height: DejaVu Sans Mono, the widest font in STYLE

interface TextOptions {
  /** classes of STYLE for colour and weight: `dim`, `bold`, `own`, `alarm` … */
  look?: string
  /** identifies the value for the live view, which highlights changes */
  key?: string
  /** the text is cut to this width, in units */
  room?: number
  /** a path is cut at its beginning */
  path?: boolean
  /** x is the end or the middle of the text */
  anchor?: 'end' | 'middle'
}

/** One line of text with its baseline at y. The text may be untrusted. */
export function text(x: number, y: number, content: string, size: Size, options: TextOptions = {}): Html {
  const { look = '', key, room = Infinity, path = false, anchor } = options
  const most = Math.floor(room / (SIZES[size] * ADVANCE))
  const shown = (path ? cutPath : cut)(clean(content), most)
  const end = anchor ? html` text-anchor="${anchor}"` : ''
  return html`<text x="${x}" y="${y}" class="${size} ${look}" ${end}${dataKey(key)}>${shown}</text>`
}

/** A text in lines of a width, broken between words if possible. */
export function linesOf(words: string, size: Size, width: number): string[] {
  return wrap(words, Math.floor(width / (SIZES[size] * ADVANCE)))
}

/** A text in as many lines as it needs, starting at y = 0. */
export function paragraph(words: string, size: Size, look: string, width: number, key?: string): Piece {
  const [high, lines] = [SIZES[size] * 1.45, linesOf(words, size, width)]
  return {
    height: Math.round(lines.length * high),
    body: lines.map((line, i) =>
      text(0, Math.round((i + 0.8) * high), line, size, {
        look,
        room: width,
        ...(key && { key: i ? `${key}.${i}` : key }),
      }),
    ),
  }
}

/** The maximum width of a text. */
export const widthOf = (content: string, size: Size) => Math.ceil(content.length * SIZES[size] * ADVANCE)

interface Box {
  x: number
  y: number
  width: number
  height: number
  look: string
  key?: string
  /** the radius of the corners */
  round?: number
}

export function box({ x, y, width, height, look, key, round = 10 }: Box): Html {
  const area = html`x="${x}" y="${y}" width="${width}" height="${height}" rx="${round}"`
  return html`<rect ${area} class="${look}" ${dataKey(key)} />`
}

/** A line given by path commands: `M 0 0 H 10`. */
export const path = (d: string, look: string) => html`<path d="${d}" class="${look}" />`

export const moved = (x: number, y: number, body: Html[]) =>
  html`<g transform="translate(${x} ${y})">${body}</g>`

const dataKey = (key: string | undefined) => (key === undefined ? '' : html` data-key="${key}"`)

/** Pieces below one another. */
export function stacked(pieces: readonly Piece[], gap: number): Piece {
  let height = 0
  const body = pieces.map(piece => {
    const placed = moved(0, height, piece.body)
    height += piece.height + gap
    return placed
  })
  return { height: Math.max(0, height - gap), body }
}

const PADDING = 28
const TITLE = 64

/** The width inside a card. */
export const inner = (width: number) => width - 2 * PADDING

/** A piece on a card with a title; the card is at least `least` high. */
export function card(title: string, piece: Piece, width: number, least = 0): Piece {
  const height = Math.max(least, TITLE + piece.height + PADDING)
  return {
    height,
    body: [
      box({ x: 0, y: 0, width, height, look: 'card', round: 16 }),
      text(PADDING, 44, title, 'title', { look: 'bold dim' }),
      moved(PADDING, TITLE, piece.body),
    ],
  }
}

/** All rules are below one class, because the picture may be in a page with others. */
export const STYLE = new Html(`
.minilab-look { --page: #f6f8fa; --card: #fff; --line: #c5ccd3; --text: #1f2328; --dim: #57606a; --accent: #0757ba;
  --own: #176f2c; --own-back: #dcf5e3; --shared: #7d5200; --shared-back: #fff4cf; --alarm: #c11c2b; --track: #e2e6ea;
  --lower-back: #ddebfa; }
@media (prefers-color-scheme: dark) {
  .minilab-look { --page: #0d1117; --card: #161b22; --line: #3b434c; --text: #f0f3f6; --dim: #a2abb5; --accent: #6cb2ff;
    --own: #4fcb65; --own-back: #12301d; --shared: #e3b341; --shared-back: #302713; --alarm: #ff7b72; --track: #2b323a;
    --lower-back: #14283f; }
}
.minilab-look text { font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: var(--text); white-space: pre; }
.minilab-look .huge, .minilab-look .title, .minilab-look .note { font-family: system-ui, 'DejaVu Sans', sans-serif; }
${Object.entries(SIZES)
  .map(([name, size]) => `.minilab-look .${name} { font-size: ${size}px; }`)
  .join('\n')}
.minilab-look .bold { font-weight: 700; }
.minilab-look text.dim { fill: var(--dim); } .minilab-look text.accent { fill: var(--accent); }
.minilab-look text.own { fill: var(--own); } .minilab-look text.shared { fill: var(--shared); }
.minilab-look text.alarm { fill: var(--alarm); font-weight: 700; }
.minilab-look .page { fill: var(--page); }
.minilab-look .card { fill: var(--card); stroke: var(--line); stroke-width: 2; }
.minilab-look .tile { fill: var(--page); stroke: var(--line); stroke-width: 2; }
.minilab-look .tile.own { fill: var(--own-back); stroke: var(--own); }
.minilab-look .tile.shared { fill: var(--shared-back); stroke: var(--shared); stroke-dasharray: 8 6; }
.minilab-look .tile.lower { fill: var(--lower-back); stroke: var(--accent); }
.minilab-look .tile.alarm { stroke: var(--alarm); }
.minilab-look .track { fill: var(--track); }
.minilab-look .track.none { fill: none; stroke: var(--line); stroke-width: 2; stroke-dasharray: 4 8; }
.minilab-look .fill { fill: var(--own); } .minilab-look .fill.held { fill: var(--shared); } .minilab-look .fill.alarm { fill: var(--alarm); }
.minilab-look .mark { fill: var(--text); }
.minilab-look .branch { fill: none; stroke: var(--line); stroke-width: 3; }
.minilab-look .cable { fill: none; stroke: var(--accent); stroke-width: 8; stroke-linecap: round; }
.minilab-look .routed { fill: none; stroke: var(--line); stroke-width: 6; stroke-dasharray: 2 14; stroke-linecap: round; }
`)
