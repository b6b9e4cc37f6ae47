import { type Html, html } from '../../book/html.ts'
import { drawLimits, drawSecurity } from '../draw-svg-limits.ts'
import { drawNamespaces, drawProcesses } from '../draw-svg-processes.ts'
import { drawRoot } from '../draw-svg-root.ts'
import { isReadable } from '../readable.ts'
import type { LinkView, Snapshot } from '../snapshot-shape.ts'
import { box, card, inner, paragraph, path, type Piece, stacked, text } from '../svg.ts'
import { cableBoxes, linkState, networkWords, routeWords, traffic } from '../phrases.ts'

/** Width in units of the view box. On a card 560 pixels wide no text is smaller than 14 pixels: the smallest type is 18 units. */
const WIDTH = 720

type Draw = (snapshot: Snapshot, width: number) => Piece

/** In order: what changes most comes first. */
const CARDS: Record<CardName, Draw> = {
  processes: drawProcesses,
  limits: drawLimits,
  namespaces: drawNamespaces,
  network: drawNetwork,
  root: drawRoot,
  rights: drawSecurity,
}
const TITLES: Partial<Record<CardName, string>> = {
  root: 'root file system',
  rights: 'rights of the first process',
}
export type CardName = 'processes' | 'limits' | 'namespaces' | 'network' | 'root' | 'rights'

/** A container as cards, each a separate SVG document, so that the page can arrange them. */
export function drawCards(snapshot: Snapshot): { name: CardName; svg: string }[] {
  return (Object.keys(CARDS) as CardName[]).map(name => ({ name, svg: drawCard(name, snapshot) }))
}

function drawCard(name: CardName, snapshot: Snapshot): string {
  const title = TITLES[name] ?? name
  const { height, body } = card(title, CARDS[name](snapshot, inner(WIDTH)), WIDTH)
  const frame = html`class="minilab-look" viewBox="-1 -1 ${WIDTH + 2} ${height + 2}" role="img"
  aria-label="${title} of ${snapshot.name}"`
  return html`<svg xmlns="http://www.w3.org/2000/svg" ${frame}>${body}</svg>`.text
}

const ROW = 74

/** Draws each cable from inside (top) to outside (bottom), then the links without one. */
function drawNetwork({ network }: Snapshot, width: number): Piece {
  const shared = networkWords(network)
  if (shared) return { height: 36, body: [text(0, 22, shared, 'note', { look: 'shared', room: width })] }
  const { links, outside, limited, own, defaultRoute } = network
  const cables = outside?.cables ?? []
  const problem = limited ?? (isReadable(own) ? null : own.notReadable)
  const rest = links.filter(({ name }) => !cables.some(({ inside }) => inside === name))
  const [words, key] = problem
    ? [problem, 'network.limited']
    : [`default route: ${routeWords(defaultRoute)}`, 'network.defaultRoute']
  return stacked(
    [
      ...cables.map(cable => ends(cableBoxes(cable, network), width)),
      ...rest.map(link => alone(link, width)),
      paragraph(words, 'mono', 'dim', width, key),
    ],
    14,
  )
}

function ends(boxes: ReturnType<typeof cableBoxes>, width: number): Piece {
  const body = boxes.flatMap((end, i): Html[] => {
    const y = i * (ROW + 24)
    const look = i === 0 ? 'tile own' : end.link === null ? 'tile' : 'tile lower'
    const [first, ...others] = end.lines
    return [
      ...(i > 0 ? [path(`M 40 ${y - 21} V ${y - 3}`, end.link === null ? 'routed' : 'cable')] : []),
      box({ x: 0, y, width, height: ROW, look, key: end.key }),
      text(18, y + 32, end.name, 'name', { look: 'bold', room: 300 }),
      text(width - 18, y + 32, end.title, 'note', { look: 'dim', anchor: 'end', room: 300 }),
      text(18, y + 60, first?.text ?? '', 'small', { key: first?.key ?? end.key, room: 240 }),
      ...others.map((words, n) =>
        text(width - 18 - (others.length - 1 - n) * 190, y + 60, words.text, 'small', {
          key: words.key,
          look: 'dim',
          anchor: 'end',
          room: 180,
        }),
      ),
    ]
  })
  return { height: boxes.length * (ROW + 24) - 24, body }
}

function alone(link: LinkView, width: number): Piece {
  const { name, addresses, rxPackets, rxBytes, txPackets, txBytes } = link
  const key = `network.${name}`
  const words = [linkState(link), ...addresses.filter(address => !address.includes(':'))].join('  ')
  const moved = `in ${traffic(rxPackets, rxBytes)}   out ${traffic(txPackets, txBytes)}`
  return {
    height: 56,
    body: [
      text(0, 22, name, 'mono', { look: 'bold', room: 110 }),
      text(120, 22, words, 'mono', { key, room: width - 120 }),
      text(120, 50, moved, 'small', { key: `${key}.traffic`, look: 'dim', room: width - 120 }),
    ],
  }
}
