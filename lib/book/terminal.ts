import type { ChalkInstance } from 'chalk'
import type { Token } from 'markdown-it'
import { certain } from '../common/certain.ts'
import { codeBlock } from './code-block.ts'
import type { highlight, Kind } from './highlight.ts'
import { type Run, wrapRuns } from './lines.ts'
import type { Page } from './pages.ts'
import { inlineRuns, printable } from './terminal-inline.ts'
import { type Align, tableLines } from './terminal-table.ts'

/**
 * `ink`: colours, or none (level 0). `width`: the columns that everything but code fits in. `highlight`: highlights code;
 * loading it takes time, so it is only given if there are colours.
 */
export interface Look {
  ink: ChalkInstance
  width: number
  highlight?: typeof highlight | undefined
}

/** A page as lines for a terminal. */
export function terminalLines({ tokens }: Page, { width, ...look }: Look): string[] {
  return new Renderer(look).blocks(tree(tokens), width)
}

/** A token and the tokens between it and its end. */
interface Node {
  token: Token
  children: Node[]
}

function tree(tokens: readonly Token[]): Node[] {
  const root: Node[] = []
  const open = [root]
  for (const token of tokens) {
    const node = { token, children: [] }
    if (token.nesting === -1) open.pop()
    else certain(open.at(-1)).push(node)
    if (token.nesting === 1) open.push(node.children)
  }
  return root
}

class Renderer {
  readonly #ink: ChalkInstance
  readonly #highlight: NonNullable<Look['highlight']>

  constructor({ ink, highlight = (_, text) => [{ text }] }: Omit<Look, 'width'>) {
    this.#ink = ink
    this.#highlight = highlight
  }

  /** Block elements with an empty line between two of them, unless they belong to a tight list. */
  blocks(nodes: readonly Node[], width: number): string[] {
    const lines: string[] = []
    let wasTight = false
    for (const node of nodes) {
      const block = this.#block(node, width)
      if (block.length === 0) continue
      if (lines.length && !wasTight) lines.push('')
      if (lines.length && node.token.tag === 'h2') lines.push('')
      lines.push(...block)
      wasTight = node.token.hidden
    }
    return lines
  }

  #block({ token, children }: Node, width: number): string[] {
    switch (token.type) {
      case 'heading_open':
        return this.#heading(token.tag, this.#runs(children), width)
      case 'paragraph_open':
        return wrapRuns(this.#runs(children), width)
      case 'bullet_list_open':
        return this.#list(children, width, () => '•')
      case 'ordered_list_open': {
        const first = Number(token.attrGet('start') ?? 1)
        return this.#list(children, width, i => `${first + i}.`)
      }
      case 'blockquote_open':
        return this.blocks(children, width - 2).map(line => this.#ink.dim('▎ ') + line)
      case 'table_open':
        return this.#table(children, width)
      case 'fence':
      case 'code_block':
        return this.#code(token, width)
      case 'hr':
        return [this.#ink.dim('─'.repeat(width))]
      case 'html_block': {
        const text = printable(token.content.replace(/<!--.*?-->/gs, '').replaceAll('\n', ' ')).trim()
        return text ? wrapRuns([{ text, style: text => text }], width) : []
      }
      default: // a token of an unknown type, from a plugin: print its content
        return children.length ? this.blocks(children, width) : []
    }
  }

  #runs(nodes: readonly Node[]): Run[] {
    return nodes.flatMap(({ token }) => inlineRuns(token.children ?? [], this.#ink))
  }

  #heading(tag: string, runs: Run[], width: number): string[] {
    const { bold, cyan, dim } = this.#ink
    const lines = wrapRuns(runs, width).map(line => bold(line))
    if (tag === 'h1') return [...lines, cyan('━'.repeat(width))]
    if (tag === 'h2') return [...lines, dim('─'.repeat(width))]
    return lines
  }

  #list(items: readonly Node[], width: number, mark: (i: number) => string): string[] {
    const room = Math.max(...items.map((_, i) => mark(i).length)) + 1
    const isLoose = items.some(({ children }) =>
      children.some(({ token }) => token.tag === 'p' && !token.hidden),
    )
    return items.flatMap(({ children }, i) => {
      const lines = this.blocks(children, width - room)
      const marked = lines.map((line, j) =>
        j ? (line ? ' '.repeat(room) + line : '') : this.#ink.cyan(mark(i).padStart(room - 1)) + ' ' + line,
      )
      return isLoose && i ? ['', ...marked] : marked
    })
  }

  #table(parts: readonly Node[], width: number): string[] {
    const rows = parts.flatMap(({ children }) => children.map(({ children }) => children))
    const aligns = certain(rows[0]).map(({ token }): Align => {
      const [, align = 'left'] = /text-align:(\w+)/.exec(String(token.attrGet('style') ?? '')) ?? []
      return align as Align
    })
    const cells = rows.map(row => row.map(({ children }) => this.#runs(children)))
    return tableLines(cells, aligns, width, this.#ink)
  }

  /** Code is not wrapped: the pager or the terminal handles long lines. A drawing needs no frame. */
  #code(token: Token, width: number): string[] {
    const { dim, italic } = this.#ink
    const { language, caption, text } = codeBlock(token)
    const code = this.#highlight(language, text)
      .map(({ text, kind }) => lookOf(text.split('\n').map(printable), kind, this.#ink).join('\n'))
      .join('')
      .split('\n')
    if (language === 'text' || language === '') return code.map(line => (line ? `  ${line}` : ''))
    const bar = dim('│')
    const lines = code.map(line => (line ? `${bar} ${line}` : bar))
    const from = caption
      ? wrapRuns([{ text: printable(caption), style: text => dim(italic(text)) }], width - 2)
      : []
    return [...from.map((line, i) => dim(i ? '│ ' : '┌ ') + line), ...lines]
  }
}

/** Ends the style at the end of each line, because a pager may start at any line. */
function lookOf(lines: string[], kind: Kind | undefined, ink: ChalkInstance): string[] {
  const looks: Record<Kind, ChalkInstance> = {
    keyword: ink.magenta,
    name: ink.cyan,
    type: ink.yellow,
    string: ink.green,
    number: ink.yellow,
    property: ink,
    comment: ink.dim,
    prompt: ink.dim,
    'stand-in': ink.yellow,
    good: ink.green,
    bad: ink.red,
  }
  return kind ? lines.map(line => (line ? looks[kind](line) : '')) : lines
}
