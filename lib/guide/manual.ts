import { joined } from './text.ts'

const LABEL = 'the manual: '

/** The manual pages of a stage, as the commands that show them, in lines of at most `width` columns. */
export function manualLines(pages: readonly string[] = [], width: number): string[] {
  const commands = pages.map(page => page.replace(/^(.+)\((.+)\)$/, 'man $2 $1'))
  return joined(commands, width - LABEL.length).map(
    (line, i) => (i ? ' '.repeat(LABEL.length) : LABEL) + line,
  )
}
