/** Text in one style. Its width is that of `text`; `style` adds only what takes no room. */
export interface Run {
  text: string
  style: (text: string) => string
  /** whether to avoid breaking it at its blanks: a command, a path */
  together?: boolean
}

/** The columns of a text. The book has no characters of double width. */
export const columns = (text: string): number => text.replace(/\p{M}/gu, '').length

/** Breaks runs into lines of at most `width` columns between words; inside a word only if it is longer than a line. */
export function wrapRuns(runs: readonly Run[], width: number): string[] {
  const lines: string[] = []
  let line = ''
  let used = 0
  const end = () => {
    lines.push(line)
    ;[line, used] = ['', 0]
  }
  for (const word of words(runs, width)) {
    if (word === 'break') {
      end()
      continue
    }
    const room = word.reduce((sum, { text }) => sum + columns(text), 0)
    if (used && used + 1 + room > width) end()
    if (used) [line, used] = [`${line} `, used + 1]
    for (const { text, style } of word) {
      for (let rest = text; rest;) {
        const part = rest.slice(0, room > width ? Math.max(1, width - used) : rest.length)
        if (used && used + columns(part) > width) end()
        line += style(part)
        used += columns(part)
        rest = rest.slice(part.length)
        if (rest) end()
      }
    }
  }
  if (used || lines.length === 0) end()
  return lines
}

/** The longest word of some runs, in columns: the minimum for a narrow column. */
export function longestWord(runs: readonly Run[]): number {
  const lengths = words(runs, 0).map(word =>
    word === 'break' ? 0 : word.reduce((sum, { text }) => sum + columns(text), 0),
  )
  return Math.max(0, ...lengths)
}

/** Splits runs into words. A word may have several styles, such as `code` followed by a comma. */
function words(runs: readonly Run[], width: number): (Run[] | 'break')[] {
  const result: (Run[] | 'break')[] = []
  let word: Run[] = []
  const end = () => {
    if (word.length) result.push(word)
    word = []
  }
  for (const run of runs) {
    const parts = run.together && columns(run.text) <= width ? [run.text] : run.text.split(/([ \n])/)
    for (const part of parts) {
      if (part === ' ' || part === '\n') end()
      if (part === '\n') result.push('break')
      else if (part && part !== ' ') word.push({ ...run, text: part })
    }
  }
  end()
  return result
}
