import { certain } from '../common/certain.ts'
import { html } from '../book/html.ts'
import { drawLimits, drawSecurity } from './draw-svg-limits.ts'
import { drawNetwork } from './draw-svg-network.ts'
import { drawNamespaces, drawProcesses } from './draw-svg-processes.ts'
import { drawRoot } from './draw-svg-root.ts'
import type { Snapshot } from './snapshot-shape.ts'
import { box, card, inner, moved, type Piece, stacked, STYLE, text } from './svg.ts'
import { plural, summary } from './phrases.ts'

const WIDTH = 1600
const MARGIN = 40
const GAP = 20
const WHOLE = WIDTH - 2 * MARGIN
const HALF = (WHOLE - GAP) / 2

/**
 * Draws a container as one SVG document: large type, dark or light like the reader's settings, no scripts, no external
 * resources. Every value that can change has a `data-key` that stays the same: `cgroup.memory.current`, `process.4711.state`.
 */
export function drawSvg(snapshot: Snapshot): string {
  const left = column([
    ['processes', drawProcesses],
    ['root file system', drawRoot],
  ])
  const right = column([
    ['namespaces', drawNamespaces],
    ['limits', drawLimits],
  ])
  const halves = [
    left(snapshot),
    left(snapshot, right(snapshot).height),
    right(snapshot, left(snapshot).height),
  ] as const
  const both: Piece = {
    height: Math.max(halves[1].height, halves[2].height),
    body: [...halves[1].body, moved(HALF + GAP, 0, halves[2].body)],
  }
  const all = stacked(
    [
      head(snapshot),
      both,
      card('network', drawNetwork(snapshot, inner(WHOLE)), WHOLE),
      card('rights of the first process', drawSecurity(snapshot, inner(WHOLE)), WHOLE),
    ],
    GAP,
  )
  const height = all.height + 2 * MARGIN
  const [title, described] = [`look-${snapshot.pid}-title`, `look-${snapshot.pid}-description`]
  const frame = html`class="minilab-look" viewBox="0 0 ${WIDTH} ${height}" role="img"
  aria-labelledby="${title} ${described}"`
  return html`<svg xmlns="http://www.w3.org/2000/svg" ${frame}>
    <title id="${title}">Container ${snapshot.name}, process ${snapshot.pid}</title>
    <desc id="${described}">${summary(snapshot)}</desc>
    <style>
      ${STYLE}
    </style>
    ${box({ x: 0, y: 0, width: WIDTH, height, look: 'page', round: 0 })} ${moved(MARGIN, MARGIN, all.body)}
  </svg> `.text
}

type Draw = (snapshot: Snapshot, width: number) => Piece

/** Cards below one another; the last one extends down to `least`. */
function column(cards: [title: string, draw: Draw][]) {
  return (snapshot: Snapshot, least = 0): Piece => {
    const pieces = cards.map(([title, draw]) => card(title, draw(snapshot, inner(HALF)), HALF))
    const missing = least - stacked(pieces, GAP).height
    const [title, draw] = certain(cards.at(-1))
    const { height } = certain(pieces.pop())
    pieces.push(card(title, draw(snapshot, inner(HALF)), HALF, height + Math.max(0, missing)))
    return stacked(pieces, GAP)
  }
}

function head({ name, pid, processes, cgroup, taken }: Snapshot): Piece {
  const first = processes.roots.find(process => process.pid === pid)
  const facts = [
    `first process ${pid}${first && first.inside !== pid ? `, inside ${first.inside}` : ''}`,
    plural(processes.count, 'process', 'processes'),
  ]
  return {
    height: 88,
    body: [
      text(0, 64, name, 'huge', { look: 'bold', room: 620 }),
      text(WHOLE, 30, facts.join(' · '), 'name', { anchor: 'end', key: 'processes.count', room: 860 }),
      cgroup.frozen === true
        ? text(WHOLE, 68, 'frozen', 'name', { look: 'bold accent', anchor: 'end', key: 'head.frozen' })
        : text(WHOLE, 68, `${taken.slice(11, 19)} UTC`, 'name', { look: 'dim', anchor: 'end' }),
    ],
  }
}
