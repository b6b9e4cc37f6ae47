import type { ChalkInstance } from 'chalk'
import { isReadable } from './readable.ts'
import { mountRows } from './rows.ts'
import type { Overlay, Snapshot } from './snapshot-shape.ts'
import { clean, columns, cut, cutPath, pad, paragraph } from './terminal-text.ts'
import { changeWords, contentWords, plural } from './phrases.ts'

const MOST_LAYERS = 6

/** Draws the overlay as a stack, then the tree of mounts. */
export function drawRoot({ mounts }: Snapshot, room: number, ink: ChalkInstance): string[] {
  if (!isReadable(mounts))
    return paragraph(`not readable: ${mounts.notReadable}`, room).map(line => ink.yellow(line))
  if (mounts.shared === true)
    return paragraph(
      `the mount namespace is the host's: ${plural(mounts.count, 'mount')} of the machine`,
      room,
    ).map(line => ink.yellow(line))
  const stacks = mounts.overlays.slice(0, 1).flatMap(overlay => [...stack(overlay, room, ink), ''])
  const tree = mountRows(mounts.roots).map(({ branch, node }) => {
    const flags = cut(node.flags, 24)
    const space = room - (flags ? flags.length + 2 : 0)
    const type = cut(node.type, Math.max(8, Math.floor(space / 3)))
    const target = cut(branch + clean(node.target), space - columns(type) - 2)
    return pad(`${target}  ${ink.cyan(clean(type))}`, space) + (flags ? `  ${ink.dim(flags)}` : '')
  })
  return [...stacks, ...tree]
}

function stack({ target, lower, upper, work }: Overlay, room: number, ink: ChalkInstance): string[] {
  const width = room - 4
  const slab = (left: string, right: string) => {
    const name = cut(left, width - 4)
    const text = cutPath(right, width - columns(name) - 2)
    return [
      `${name}${' '.repeat(Math.max(2, width - columns(name) - columns(text)))}${text}`,
      name,
      text,
    ] as const
  }
  const line = ([whole, name]: readonly [string, string, string], colour: ChalkInstance) =>
    `${ink.dim('│')} ${colour(whole.slice(0, name.length))}${ink.dim(whole.slice(name.length))} ${ink.dim('│')}`
  const content = upper?.content ?? null
  const note = content === null ? '' : isReadable(content) ? contentWords(content) : ''
  const changed = content && isReadable(content) ? content.some : []
  const why = content && !isReadable(content) ? paragraph(`not readable: ${content.notReadable}`, width) : []
  const edge = (left: string, right: string) => ink.dim(left + '─'.repeat(room - 2) + right)
  return [
    ink.dim(cut(`the container sees ${clean(target)}, through these layers, top to bottom:`, room)),
    edge('┌', '┐'),
    ...(upper
      ? [
          line(slab(`upper, takes every write  ${note}`, ''), ink.green),
          line(slab('', clean(upper.path)), ink.dim),
          ...changed.map(change =>
            line(
              slab(`  ${clean(changeWords(change))}`, ''),
              change.what === 'whiteout' ? ink.red : ink.green,
            ),
          ),
          ...why.map(text => line(slab(text, ''), ink.yellow)),
        ]
      : []),
    ...lower
      .slice(0, MOST_LAYERS)
      .flatMap((layer, i) => [
        edge('├', '┤'),
        line(
          slab(lower.length > 1 ? `lower ${i + 1}, read-only` : 'lower, read-only', clean(layer.path)),
          ink.cyan,
        ),
      ]),
    ...(lower.length > MOST_LAYERS
      ? [
          edge('├', '┤'),
          line(slab(`and ${plural(lower.length - MOST_LAYERS, 'more layer')} below`, ''), ink.dim),
        ]
      : []),
    edge('└', '┘'),
    ...(work ? [ink.dim(cut(`work  ${cutPath(clean(work), room - 6)}`, room))] : []),
  ]
}
