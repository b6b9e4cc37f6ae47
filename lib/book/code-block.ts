import type { Token } from 'markdown-it'

/** A code block of the book: what stands in it, and where that is from. */
export interface CodeBlock {
  /** the first word of its info string: `ts`, `console`, `text`, …; '' where there is none */
  language: string
  /** where the code is from, or how the recording was made: '' where the block is the book's own */
  caption: string
  /** where the code is from: none for recordings and the book's own blocks */
  sources: CodeSource[]
  text: string
  /** what a reader wants to paste: of a recording its commands, as root types them in the checkout; otherwise everything */
  copy: string
}

/** One of the places that a code block shows. */
export interface CodeSource {
  /** as the book writes it: `lib/container/parts/root.ts#root:first…last` */
  source: string
  /** its part of the caption */
  caption: string
}

/** Reads a token of type `fence` or `code_block`. */
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

/** The recordings were made as root, with minilab on the path. */
const asRoot = (command: string): string =>
  command
    .replace(/^(?=(unshare|setpriv) )/, 'sudo ')
    .replace(/(?<![\w/.-])minilab(?= [a-z])/g, 'sudo ./minilab')

/** What a recorded command printed, moved to the left margin: in a narrow window each column counts. */
export function atMargin(text: string): string {
  const lines = text.split('\n')
  const printed = lines.filter(line => line.trim() && !/^(\$ | *…$|\[exit status )/.test(line))
  const margin = Math.min(...printed.map(line => line.search(/\S/)))
  return lines.map(line => line.replace(/^ */, blanks => blanks.slice(margin))).join('\n')
}

/** `lib/a.ts#b:first…last | other words | lib/a.ts#c` has two sources: `lib/a.ts · b, in part` and, of the same file, `c`. */
function sourcesIn(text: string): CodeSource[] {
  let before = ''
  return text
    .split(/ \| (?=[^\s#]+\.ts#)/)
    .filter(Boolean)
    .map(source => {
      const [, file = source, symbol = '', parts] = /^([^\s#]+)#([^\s:]+)(:.*)?$/s.exec(source) ?? []
      const place = file === before && symbol ? symbol : [file, symbol].filter(Boolean).join(' · ')
      before = file
      return { source, caption: parts ? `${place}, in part` : place }
    })
}

/** `minilab doctor # first words…last words` shows some lines of what the command printed. */
function recorded(source: string): string {
  if (!source) return ''
  return source.includes(' # ') ? 'recorded, in part' : 'recorded'
}
