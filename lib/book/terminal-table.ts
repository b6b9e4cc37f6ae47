import type { ChalkInstance } from 'chalk'
import { certain } from '../common/certain.ts'
import { columns, longestWord, type Run, wrapRuns } from './lines.ts'

export type Align = 'left' | 'right' | 'center'

/** A table with lines around it, at most `width` columns wide; cells are wrapped. The first row is the header. */
export function tableLines(
  rows: readonly Run[][][],
  aligns: readonly Align[],
  width: number,
  ink: ChalkInstance,
): string[] {
  const widths = columnWidths(rows, width)
  const rule = (left: string, middle: string, right: string) =>
    ink.dim(left + widths.map(width => '─'.repeat(width + 2)).join(middle) + right)
  const side = ink.dim('│')
  const cells = rows.map((row, i) =>
    row.map((cell, j) => wrapRuns(i ? cell : cell.map(run => bold(run, ink)), certain(widths[j]))),
  )
  const line = (row: string[][], at: number) =>
    row.map((cell, j) => ` ${padded(cell[at] ?? '', certain(widths[j]), aligns[j])} `).join(side)
  const height = (row: string[][]) => Math.max(1, ...row.map(cell => cell.length))
  const isLong = cells.slice(1).some(row => height(row) > 1)
  return [
    rule('┌', '┬', '┐'),
    ...cells.flatMap((row, i) => [
      ...(i === 1 || (i && isLong) ? [rule('├', '┼', '┤')] : []),
      ...Array.from({ length: height(row) }, (_, at) => side + line(row, at) + side),
    ]),
    rule('└', '┴', '┘'),
  ]
}

const bold = (run: Run, ink: ChalkInstance): Run => ({ ...run, style: text => ink.bold(run.style(text)) })

/** The widths of the columns: that of the longest text if there is room; otherwise the rest is divided by need. */
function columnWidths(rows: readonly Run[][][], width: number): number[] {
  const all = certain(rows[0]).map((_, j) => rows.map(row => row[j] ?? []))
  const wanted = all.map(cells =>
    Math.max(1, ...cells.map(runs => runs.reduce((sum, { text }) => sum + columns(text), 0))),
  )
  const widths = all.map(cells => Math.max(1, ...cells.map(longestWord)))
  const room = width - 3 * widths.length - 1
  const used = () => widths.reduce((sum, width) => sum + width, 0)
  for (let most; used() > room && (most = Math.max(...widths)) > 1;) widths[widths.indexOf(most)] = most - 1
  for (let left = room - used(); left > 0; left--) {
    const needs = widths.map((width, j) => {
      const whole = certain(wanted[j])
      return width < whole ? whole / width : 0
    })
    const most = Math.max(...needs)
    if (most === 0) break
    const at = needs.indexOf(most)
    widths[at] = certain(widths[at]) + 1
  }
  return widths
}

function padded(text: string, width: number, align: Align = 'left'): string {
  const room = width - columns(text.replace(/\u001b\[[\d;]*m/g, '')) // eslint-disable-line no-control-regex
  const before = align === 'right' ? room : align === 'center' ? Math.floor(room / 2) : 0
  return ' '.repeat(before) + text + ' '.repeat(room - before)
}
