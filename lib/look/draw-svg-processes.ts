import type { Html } from '../book/html.ts'
import { isReadable } from './readable.ts'
import { processRows } from './rows.ts'
import type { NamespaceView, Process, Snapshot } from './snapshot-shape.ts'
import { box, moved, paragraph, path, type Piece, text, widthOf } from './svg.ts'
import { othersWords, ownWords, plural, uidWords } from './phrases.ts'

const ROW = 48
const INDENT = 26
const MOST_PROCESSES = 12

/** Draws the tree of processes, each with its pid on the host and its pid inside. */
export function drawProcesses({ processes }: Snapshot, width: number): Piece {
  const { shown, left } = processRows(processes.roots, MOST_PROCESSES)
  const body: Html[] = [
    text(90, 14, 'host', 'small', { look: 'dim', anchor: 'end' }),
    text(150, 14, 'inside', 'small', { look: 'dim', anchor: 'middle' }),
  ]
  const columns = { host: 90, inside: 104, tree: 214 }
  let y = 28
  const at = new Map<number, { x: number; y: number }>()
  for (const { node, branch } of shown) {
    const x = columns.tree + (branch.length / 3) * INDENT
    const middle = y + ROW / 2
    const above = at.get(node.parent)
    if (above && branch) body.push(path(`M ${above.x + 6} ${above.y + 12} V ${middle} H ${x - 6}`, 'branch'))
    at.set(node.pid, { x, y: middle })
    body.push(...row(node, columns, x, y, width))
    y += ROW
  }
  const notes = [left ? `and ${plural(left, 'more process', 'more processes')}` : '', processes.why ?? '']
  for (const note of notes.filter(Boolean)) {
    const piece = paragraph(note, 'small', 'dim', width)
    body.push(moved(0, y + 6, piece.body))
    y += piece.height + 6
  }
  return { height: y, body }
}

function row(
  process: Process,
  columns: { host: number; inside: number },
  x: number,
  y: number,
  width: number,
): Html[] {
  const { pid, inside, uid, uidInside, state, stateName, threads, command } = process
  const key = `process.${pid}`
  const middle = y + ROW / 2 + 8
  const end = [
    uid === 0 && uidInside === 0 ? '' : `uid ${uidWords(uid, uidInside)}`,
    threads > 1 ? `${threads} threads` : '',
    state === 'S' ? '' : stateName,
  ]
    .filter(Boolean)
    .join(' · ')
  const look = state === 'R' ? 'own' : state === 'Z' || state === 'T' ? 'alarm' : 'dim'
  const room = width - x - (end ? widthOf(end, 'small') + 16 : 0)
  return [
    text(columns.host, middle, String(pid), 'mono', { look: 'dim', anchor: 'end' }),
    box({ x: columns.inside, y: y + 5, width: 92, height: ROW - 10, look: 'tile lower', key }),
    text(columns.inside + 46, middle, String(inside), 'mono', { look: 'bold accent', anchor: 'middle' }),
    text(x, middle, command, 'mono', { key: `${key}.command`, room }),
    text(width, middle, end, 'small', { look, anchor: 'end', key: `${key}.state` }),
  ]
}

/** Draws eight tiles: green and solid for the container's own namespaces, dashed for the host's. */
export function drawNamespaces({ namespaces }: Snapshot, width: number): Piece {
  const [gap, height] = [14, 122]
  const tile = (width - 3 * gap) / 4
  const body = namespaces.flatMap((view, i) =>
    drawTile(view, (i % 4) * (tile + gap), Math.floor(i / 4) * (height + gap), tile, height),
  )
  const shared = namespaces.filter(({ others }) => others.length > 0)
  let y = 2 * height + gap
  for (const { kind, others } of shared) {
    y += 34
    body.push(
      text(0, y - 6, `${kind}: also ${othersWords(others)}`, 'small', {
        look: 'shared',
        room: width,
        key: `namespace.${kind}.others`,
      }),
    )
  }
  const hidden = namespaces.map(({ inode }) => inode).find(inode => !isReadable(inode))
  if (hidden && !isReadable(hidden)) {
    const piece = paragraph(`not readable: ${hidden.notReadable}`, 'small', 'shared', width)
    body.push(moved(0, y + 12, piece.body))
    y += piece.height + 12
  }
  return { height: y, body }
}

function drawTile(view: NamespaceView, x: number, y: number, width: number, height: number): Html[] {
  const { kind, inode, own } = view
  const look = own === true ? 'own' : own === false ? 'shared' : 'dim'
  const [, word] = ownWords(view)
  return [
    box({ x, y, width, height, look: `tile ${look}`, key: `namespace.${kind}` }),
    text(x + 14, y + 38, kind, 'name', { look: 'bold' }),
    text(x + 14, y + 70, word, 'small', { look, room: width - 20 }),
    text(x + 14, y + 102, isReadable(inode) ? String(inode ?? '–') : '?', 'small', {
      look: 'dim',
      room: width - 20,
    }),
  ]
}
