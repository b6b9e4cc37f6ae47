import type { Token } from 'markdown-it'

/** A code block of the book: its content, and the source of that. */
export interface CodeBlock {
  /** the first word of its info string: `ts`, `console`, `text`, …; '' where there is none */
  language: string
  /** the source of the code, or how the recording was made: '' for the book's own blocks */
  caption: string
  /** the sources of the code: empty for recordings and the book's own blocks */
  sources: CodeSource[]
  text: string
  /** what the copy button copies: the commands of a recording, as root types them in the checkout; otherwise everything */
  copy: string
}

/** A source of a code block. */
export interface CodeSource {
  /** as written in the book: `lib/container/parts/root.ts#root:first…last` */
  source: string
  /** its part of the caption */
  caption: string
}

/** The code block of a token of type `fence` or `code_block`. */
export function codeBlock({ info, content }: Token): CodeBlock {
  const [, language = '', source = ''] = /^(\S*)\s*(.*)$/s.exec(info.trim()) ?? []
  const text = content.replaceAll('\t', '    ').trimEnd()
  const sources = language === 'console' ? [] : sourcesIn(source)
  const commands = [...text.matchAll(/^\$ (.*)$/gm)].map(([, command = '']) => command)
  return {
    language,
    caption: language === 'console' ? recorded(source) : sources.map(({ caption }) => caption).join('; '),
    sources,
    text,
    copy: language === 'console' && commands.length ? commands.map(asRoot).join('\n') : text,
  }
}

/** A recorded command as root types it in the checkout: recordings have minilab on the PATH. */
const asRoot = (command: string): string =>
  command
    .replace(/^(?=(unshare|setpriv) )/, 'sudo ')
    .replace(/(?<![\w/.-])minilab(?= [a-z])/g, 'sudo ./minilab')

/** The output of a recorded command, moved to the left margin, because columns are scarce in a narrow window. */
export function atMargin(text: string): string {
  const lines = text.split('\n')
  const printed = lines.filter(line => line.trim() && !/^(\$ | *…$|\[exit status )/.test(line))
  const margin = Math.min(...printed.map(line => line.search(/\S/)))
  return lines.map(line => line.replace(/^ */, blanks => blanks.slice(margin))).join('\n')
}

/**
 * The sources in an info string: `lib/a.ts#b:first…last | other words | lib/a.ts#c` has two, `lib/a.ts · b, in part` and, from
 * the same file, `c`.
 */
function sourcesIn(text: string): CodeSource[] {
  let before = ''
  return text
    .split(/ \| (?=[^\s#]+\.ts#)/)
    .filter(Boolean)
    .map(source => {
      const [, file = source, symbol = '', parts] = /^([^\s#]+)#([^\s:]+)(:.*)?$/s.exec(source) ?? []
      const name = file === before && symbol ? symbol : [file, symbol].filter(Boolean).join(' · ')
      before = file
      return { source, caption: parts ? `${name}, in part` : name }
    })
}

/** The caption of a recording. `minilab doctor # first words…last words` shows only some lines of the output. */
function recorded(source: string): string {
  if (!source) return ''
  return source.includes(' # ') ? 'recorded, in part' : 'recorded'
}
