import { type Html, html } from '../../book/html.ts'
import { drawLimits, drawSecurity } from '../draw-svg-limits.ts'
import { drawNamespaces, drawProcesses } from '../draw-svg-processes.ts'
import { drawRoot } from '../draw-svg-root.ts'
import { isReadable } from '../readable.ts'
import type { LinkView, Network, Snapshot } from '../snapshot-shape.ts'
import { box, card, inner, path, type Piece, stacked, text } from '../svg.ts'
import { cableBoxes, linkState, networkWords, plural, routeWords, summary, traffic } from '../words.ts'

const WIDTH = 800

/**
 * The same cards as drawSvg() has, in one column, for several containers side by side and for narrow windows: its type is
 * twice as large there. What changes most comes first.
 */
export function drawColumn(snapshot: Snapshot): string {
  const room = inner(WIDTH)
  const all = stacked(
    [
      head(snapshot),
      card('processes', drawProcesses(snapshot, room), WIDTH),
      card('limits', drawLimits(snapshot, room), WIDTH),
      card('namespaces', drawNamespaces(snapshot, room), WIDTH),
      card('network', network(snapshot.network, room), WIDTH),
      card('root file system', drawRoot(snapshot, room), WIDTH),
      card('rights of the first process', drawSecurity(snapshot, room), WIDTH),
    ],
    20,
  )
  const [title, described] = [`column-${snapshot.pid}-title`, `column-${snapshot.pid}-description`]
  const frame = html`class="minilab-look" viewBox="-1 0 ${WIDTH + 2} ${all.height + 2}" role="img"
  aria-labelledby="${title} ${described}"`
  return html`<svg xmlns="http://www.w3.org/2000/svg" ${frame}>
    <title id="${title}">Container ${snapshot.name}, process ${snapshot.pid}</title>
    <desc id="${described}">${summary(snapshot)}</desc>
    ${all.body}
  </svg> `.text
}

function head({ name, pid, processes, cgroup }: Snapshot): Piece {
  const first = processes.roots.find(process => process.pid === pid)
  const facts = [
    `first process ${pid}${first && first.inside !== pid ? `, inside ${first.inside}` : ''}`,
    plural(processes.count, 'process', 'processes'),
  ]
  const frozen = cgroup.frozen === true
  return {
    height: 100,
    body: [
      text(0, 54, name, 'huge', { look: 'bold', room: frozen ? WIDTH - 160 : WIDTH }),
      ...(frozen
        ? [text(WIDTH, 54, 'frozen', 'name', { look: 'bold accent', anchor: 'end', key: 'head.frozen' })]
        : []),
      text(0, 92, facts.join(' · '), 'name', { look: 'dim', key: 'processes.count', room: WIDTH }),
    ],
  }
}

const ROW = 74

/** From the inside out, from top to bottom: each cable, then the links without one. */
function network(network: Network, width: number): Piece {
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
      { height: 28, body: [text(0, 22, words, 'mono', { key, look: 'dim', room: width })] },
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
      text(width - 18, y + 32, end.title, 'note', { look: 'dim', anchor: 'end', room: 330 }),
      text(18, y + 60, first?.text ?? '', 'small', { key: first?.key ?? end.key, room: 260 }),
      ...others.map((words, n) =>
        text(width - 18 - (others.length - 1 - n) * 210, y + 60, words.text, 'small', {
          key: words.key,
          look: 'dim',
          anchor: 'end',
          room: 200,
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
    height: 28,
    body: [
      text(0, 22, name, 'mono', { look: 'bold', room: 110 }),
      text(120, 22, words, 'mono', { key, room: 250 }),
      text(width, 22, moved, 'small', { key: `${key}.traffic`, look: 'dim', anchor: 'end', room: 360 }),
    ],
  }
}
