import { joined } from './text.ts'

const LABEL = 'the manual: '

/** What a stage has to read, in lines of at most `width` columns: a manual page as the command that shows it. */
export function manualLines(pages: readonly string[] = [], width: number): string[] {
  const commands = pages.map(page => page.replace(/^(.+)\((.+)\)$/, 'man $2 $1'))
  return joined(commands, width - LABEL.length).map(
    (line, i) => (i ? ' '.repeat(LABEL.length) : LABEL) + line,
  )
}
