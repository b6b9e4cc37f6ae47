import type { ChalkInstance } from 'chalk'
import { isReadable } from './readable.ts'
import type { Cable, LinkView, Network, Snapshot } from './snapshot-shape.ts'
import { clean, columns, cut, pad, paragraph } from './terminal-text.ts'
import { type CableBox, cableBoxes, linkState, networkWords, routeWords, traffic } from './phrases.ts'

/** Draws a container's links: each cable as boxes from inside to outside, or from top to bottom if there is little room. */
export function drawNetwork({ network }: Snapshot, room: number, ink: ChalkInstance): string[] {
  const sentence = networkWords(network)
  if (sentence) return paragraph(sentence, room).map(line => ink.yellow(line))
  const { links, outside, defaultRoute, limited, own } = network
  const cables = outside?.cables ?? []
  const plugged = new Set(cables.map(({ inside }) => inside))
  const problem = limited ?? (isReadable(own) ? null : own.notReadable)
  return [
    ...cables.flatMap(cable => drawCable(cable, network, room, ink)),
    ...links.filter(({ name }) => !plugged.has(name)).map(link => alone(link, room, ink)),
    ...(problem === null
      ? [`${ink.bold('default route'.padEnd(15))}${cut(routeWords(defaultRoute), room - 15)}`]
      : paragraph(`not readable: ${problem}`, room).map(line => ink.yellow(line))),
  ]
}

/** A link that has no cable, or whose cable we could not follow. */
function alone(link: LinkView, room: number, { bold, dim }: ChalkInstance): string {
  const { name, addresses, rxPackets, rxBytes, txPackets, txBytes } = link
  const counted = cut(`in ${traffic(rxPackets, rxBytes)}  out ${traffic(txPackets, txBytes)}`, room - 16)
  const text = cut([linkState(link), ...addresses].join(' '), room - 15 - counted.length - 2)
  return `${bold(pad(cut(clean(name), 14), 15))}${pad(text, room - 15 - counted.length)}${dim(counted)}`
}

function drawCable(cable: Cable, network: Network, room: number, ink: ChalkInstance): string[] {
  const boxes = cableBoxes(cable, network)
  if (total(boxes) <= room) return across(boxes, ink)
  // the way out fits in a line
  const out = boxes.at(-1)
  const cabled = boxes.filter(({ link }) => link !== null)
  if (out?.link === null && total(cabled) <= room) {
    const way = ['┄ on to', out.name, ...out.lines.map(({ text }) => text)].join(' ')
    return [...across(cabled, ink), ink.dim(cut(way.padStart(total(cabled)), room))]
  }
  return down(boxes, room, ink)
}

const JOINT = 3 // columns between boxes
const texts = ({ lines }: CableBox) => lines.map(({ text }) => text).filter(Boolean)
const roomOf = (box: CableBox) => Math.max(...[box.title, box.name, ...texts(box)].map(columns))
const total = (boxes: CableBox[]) => boxes.reduce((sum, box) => sum + roomOf(box) + 4 + JOINT, 0) - JOINT

/** Boxes in a row, with the cable from name to name; dots where packets are only routed on. */
function across(boxes: CableBox[], { dim, bold, cyan, green }: ChalkInstance): string[] {
  const height = Math.max(...boxes.map(box => texts(box).length))
  const row = (of: (box: CableBox, room: number, i: number) => string) =>
    boxes.map((box, i) => of(box, roomOf(box), i)).join('   ')
  const joined = boxes.map((box, i) => {
    const room = roomOf(box)
    const next = boxes[i + 1]
    const left = i > 0 && box.link ? cyan('┫') : dim('│')
    const right = next?.link ? cyan('┣') : dim('│')
    const joint = !next ? '' : next.link ? cyan('━━━') : dim('┄┄┄')
    return `${left} ${(i === 0 ? bold.green : bold.cyan)(pad(box.name, room))} ${right}${joint}`
  })
  return [
    row(({ title }, room) => dim(pad(` ${title}`, room + 4))).trimEnd(),
    row((_, room) => dim(`┌${'─'.repeat(room + 2)}┐`)),
    joined.join(''),
    ...Array.from({ length: height }, (_, n) =>
      row((box, room, i) => {
        const text = pad(texts(box)[n] ?? '', room)
        return `${dim('│')} ${i === 0 && n === 0 ? green(text) : text} ${dim('│')}`
      }),
    ),
    row((_, room) => dim(`└${'─'.repeat(room + 2)}┘`)),
  ]
}

/** The same boxes below one another, if there is no room for a row. */
function down(boxes: CableBox[], room: number, { dim, bold, cyan }: ChalkInstance): string[] {
  return boxes.flatMap((box, i) => {
    const next = boxes[i + 1]
    const [first = '', ...rest] = texts(box)
    return [
      `${bold.cyan(pad(cut(box.name, 20), 21))}${dim(cut(box.title, room - 21))}`,
      `${next?.link ? cyan('┃ ') : '  '}${cut(first, room - 2)}`,
      ...(rest.length ? [`${next?.link ? cyan('┃ ') : '  '}${cut(rest.join('   '), room - 2)}`] : []),
      ...(next ? [next.link ? cyan('┃') : dim('┊ routed')] : []),
    ]
  })
}
