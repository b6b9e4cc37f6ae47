import type { Html } from '../book/html.ts'
import { isReadable } from './readable.ts'
import { mountRows } from './rows.ts'
import type { Mounts, Overlay, Snapshot } from './snapshot-shape.ts'
import { box, linesOf, moved, paragraph, type Piece, stacked, text } from './svg.ts'
import { changeWords, contentWords, plural } from './phrases.ts'

const MOST_LAYERS = 6

/** Draws the overlay as a stack of layers, and the mounts as a tree. */
export function drawRoot({ mounts }: Snapshot, width: number): Piece {
  if (!isReadable(mounts)) return caption(`not readable: ${mounts.notReadable}`, width)
  if (mounts.shared === true)
    return caption(
      `the mount namespace is the host's: ${plural(mounts.count, 'mount')} of the machine`,
      width,
    )
  const [first] = mounts.overlays
  return stacked([...(first ? [stack(first, width)] : []), tree(mounts, width)], 24)
}

const caption = (words: string, width: number) => paragraph(words, 'note', 'shared', width)

/** Each layer is a little wider than the one on it: what is on top hides what is below. */
function stack({ target, lower, upper }: Overlay, width: number): Piece {
  const shown = lower.length > MOST_LAYERS ? lower.slice(0, MOST_LAYERS - 1) : lower
  const slabs = [
    ...(upper ? [upperSlab(upper, width - 70)] : []),
    ...shown.map(({ path }, i) => ({
      look: 'tile lower',
      key: `overlay.lower.${i}`,
      lines: [
        {
          words: lower.length > 1 ? `lower ${i + 1} · read-only` : 'lower · read-only',
          look: 'bold',
          path: false,
        },
        { words: path, look: 'dim', path: true },
      ],
    })),
  ]
  const step = slabs.length > 1 ? Math.min(18, 60 / (slabs.length - 1)) : 0
  let y = 34
  const body: Html[] = [
    text(0, 16, `the container sees ${target}, through these layers`, 'note', { look: 'dim', room: width }),
  ]
  slabs.forEach(({ look, key, lines }, i) => {
    const inset = (slabs.length - 1 - i) * step
    const height = 20 + lines.length * 30
    body.push(
      moved(inset, y, [
        box({ x: 0, y: 0, width: width - 2 * inset, height, look, key }),
        ...lines.map((line, n) =>
          text(18, 34 + n * 30, line.words, n === 0 ? 'mono' : 'small', {
            look: line.look,
            path: line.path,
            room: width - 2 * inset - 32,
            ...(n === 0 && { key: `${key}.content` }),
          }),
        ),
      ]),
    )
    y += height + 6
  })
  if (shown.length < lower.length) {
    body.push(
      text(0, y + 20, `and ${lower.length - shown.length} more layers below`, 'note', { look: 'dim' }),
    )
    y += 34
  }
  return { height: y, body }
}

function upperSlab({ path, content }: NonNullable<Overlay['upper']>, room: number) {
  const known = content !== null && isReadable(content) ? content : null
  const why = content !== null && !isReadable(content) ? [`not readable: ${content.notReadable}`] : []
  return {
    look: 'tile own',
    key: 'overlay.upper',
    lines: [
      { words: `upper · ${known ? contentWords(known) : 'takes every write'}`, look: 'bold', path: false },
      { words: path, look: 'dim', path: true },
      ...why
        .flatMap(words => linesOf(words, 'small', room))
        .map(words => ({ words, look: 'shared', path: false })),
      ...(known?.some ?? []).map(change => ({
        words: changeWords(change),
        look: change.what === 'whiteout' ? 'alarm' : 'own',
        path: false,
      })),
    ],
  }
}

function tree({ roots }: Mounts, width: number): Piece {
  const lines = mountRows(roots)
  const body = lines.flatMap(({ branch, node }, i) => {
    const y = 20 + i * 30
    const right = [node.type, node.flags].filter(Boolean).join('  ')
    const used = Math.min(width / 2, right.length * 11.2)
    return [
      text(0, y, branch + node.target, 'small', { room: width - used - 14 }),
      text(width, y, right, 'small', { look: 'dim', anchor: 'end', room: width / 2 }),
    ]
  })
  return { height: lines.length * 30, body }
}
