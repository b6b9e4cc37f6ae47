import type { ChalkInstance } from 'chalk'
import { columns, cut, pad } from './terminal-text.ts'

/** A titled box of a given width; `lines` must be at most `inner(width)` columns long. */
export function card(
  title: string,
  lines: readonly string[],
  width: number,
  { dim, bold }: ChalkInstance,
): string[] {
  const text = cut(` ${title} `, width - 4)
  return [
    dim('╭─') + bold(text) + dim('─'.repeat(width - 3 - columns(text)) + '╮'),
    ...lines.map(line => `${dim('│')} ${pad(line, inner(width))} ${dim('│')}`),
    dim(`╰${'─'.repeat(width - 2)}╯`),
  ]
}

/** The columns inside a card. */
export const inner = (width: number) => width - 4

/** Blocks of lines side by side, with a gap between them; shorter blocks are padded. */
export function beside(blocks: readonly string[][], gap = 1): string[] {
  const height = Math.max(...blocks.map(block => block.length))
  const sized = blocks.map(block => ({ block, width: Math.max(...block.map(columns)) }))
  return Array.from({ length: height }, (_, row) =>
    sized
      .map(({ block, width }) => pad(block[row] ?? '', width))
      .join(' '.repeat(gap))
      .trimEnd(),
  )
}

/** A bar filled to a fraction, in steps of an eighth of a column: `████▊░░░`. The mark shows the highest value. */
export function bar(fill: number, mark: number | null, width: number): string {
  const eighths = Math.round(fill * width * 8)
  const full = Math.floor(eighths / 8)
  const rest = ' ▏▎▍▌▋▊▉'.charAt(eighths % 8)
  // a small value must still be visible
  const begun = fill > 0 && eighths === 0 ? '▏' : rest.trim()
  const drawn = '█'.repeat(full) + begun
  const at = mark === null ? -1 : Math.min(width - 1, Math.floor(mark * width))
  const empty = Array.from({ length: Math.max(0, width - drawn.length) }, (_, i) =>
    i + drawn.length === at ? '╎' : '░',
  )
  return drawn + empty.join('')
}
