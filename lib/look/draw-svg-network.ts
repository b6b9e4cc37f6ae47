import { isReadable } from './readable.ts'
import type { Cable, LinkView, Network, Snapshot } from './snapshot-shape.ts'
import { box, paragraph, path, type Piece, stacked, text } from './svg.ts'
import { cableBoxes, linkState, networkWords, routeWords, traffic } from './phrases.ts'

const BOX = 312
const HEIGHT = 192

/** Draws each cable as a row of boxes (the container's end, the host's, the bridge, the way out), then the other links. */
export function drawNetwork({ network }: Snapshot, width: number): Piece {
  const shared = networkWords(network)
  if (shared) return paragraph(shared, 'note', 'shared', width)
  const { links, outside, limited, own } = network
  const cables = outside?.cables ?? []
  const plugged = new Set(cables.map(({ inside }) => inside))
  const problem = limited ?? (isReadable(own) ? null : own.notReadable)
  return stacked(
    [
      ...cables.map(cable => drawCable(cable, network, width)),
      ...links.filter(({ name }) => !plugged.has(name)).map(link => alone(link, width)),
      problem === null
        ? line('default route', routeWords(network.defaultRoute), 'network.defaultRoute', width)
        : paragraph(`not readable: ${problem}`, 'note', 'shared', width),
    ],
    14,
  )
}

function drawCable(cable: Cable, network: Network, width: number): Piece {
  const boxes = cableBoxes(cable, network)
  const joint = boxes.length > 1 ? Math.min(120, (width - boxes.length * BOX) / (boxes.length - 1)) : 0
  const body = boxes.flatMap((end, i) => {
    const x = i * (BOX + joint)
    const middle = 36 + 34
    const look = i === 0 ? 'tile own' : i === boxes.length - 1 && end.link === null ? 'tile' : 'tile lower'
    const into = end.link === null ? 'routed' : 'cable'
    return [
      ...(i > 0 ? [path(`M ${x - joint + 4} ${middle} H ${x - 4}`, into)] : []),
      text(x + 4, 22, end.title, 'note', { look: 'dim', room: BOX }),
      box({ x, y: 36, width: BOX, height: HEIGHT - 36, look, key: end.key }),
      text(x + 18, middle + 8, end.name, 'name', { look: 'bold', room: BOX - 30 }),
      ...end.lines.map((words, n) =>
        text(x + 18, middle + 42 + n * 30, words.text, 'small', {
          key: words.key,
          room: BOX - 30,
          look: n === 0 ? '' : 'dim',
        }),
      ),
    ]
  })
  return { height: HEIGHT + 6, body }
}

/** A link that has no cable, or whose cable we could not follow. */
function alone(link: LinkView, width: number): Piece {
  const { name, addresses, rxPackets, rxBytes, txPackets, txBytes } = link
  const words = [linkState(link), ...addresses].join('  ')
  const key = `network.${name}`
  return {
    height: 34,
    body: [
      text(0, 24, name, 'mono', { look: 'bold', room: 200 }),
      text(220, 24, words, 'mono', { key, room: width - 860 }),
      text(width - 330, 24, `in ${traffic(rxPackets, rxBytes)}`, 'mono', {
        look: 'dim',
        anchor: 'end',
        key: `${key}.rx`,
      }),
      text(width, 24, `out ${traffic(txPackets, txBytes)}`, 'mono', {
        look: 'dim',
        anchor: 'end',
        key: `${key}.tx`,
      }),
    ],
  }
}

function line(title: string, words: string, key: string, width: number): Piece {
  return {
    height: 30,
    body: [
      text(0, 24, title, 'mono', { look: 'bold' }),
      text(220, 24, words, 'mono', { key, room: width - 220 }),
    ],
  }
}
