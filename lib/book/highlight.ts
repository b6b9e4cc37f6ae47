import { all, createLowlight } from 'lowlight'
import { certain } from '../common/certain.ts'

/** The kind of a piece of code, by which a renderer chooses its colour. */
export type Kind =
  | 'keyword'
  | 'name'
  | 'type'
  | 'string'
  | 'number'
  | 'property'
  | 'comment'
  | 'prompt'
  | 'stand-in'
  | 'good'
  | 'bad'

/** A piece of a code block; without a kind it is plain text. It may contain line breaks. */
export interface Piece {
  text: string
  kind?: Kind | undefined
}

const LANGUAGES = ['bash', 'c', 'diff', 'ini', 'json', 'typescript', 'x86asm']
const lowlight = createLowlight(Object.fromEntries(LANGUAGES.map(name => [name, certain(all[name])])))
lowlight.registerAlias('x86asm', ['asm'])

/** highlight.js distinguishes more classes than we want colours. */
const KINDS: Record<string, Kind> = {
  'hljs-keyword': 'keyword',
  'hljs-title': 'name',
  'hljs-built_in': 'type',
  'hljs-type': 'type',
  class_: 'type',
  'hljs-string': 'string',
  'hljs-regexp': 'string',
  'hljs-number': 'number',
  'hljs-literal': 'number',
  'hljs-attr': 'property',
  'hljs-section': 'keyword',
  'hljs-comment': 'comment',
  'hljs-meta': 'keyword',
  'hljs-addition': 'good',
  'hljs-deletion': 'bad',
}

/** Splits code into pieces, which together are the whole text. An unknown language stays plain. */
export function highlight(language: string, text: string): Piece[] {
  if (language === 'console') return text.split(/(?<=\n)/).flatMap(recordedLine)
  const pieces = lowlight.registered(language)
    ? flat(lowlight.highlight(language, text).children)
    : [{ text }]
  // in shell code, show built-ins like other commands
  if (/^(ba)?sh$/.test(language))
    for (const piece of pieces) if (piece.kind === 'type') piece.kind = undefined
  return pieces.flatMap(piece => (piece.kind ? [piece] : marked(piece.text, /^( *…)$/m)))
}

type Nodes = ReturnType<typeof lowlight.highlight>['children']

/** The leaves of the tree. The innermost class with a colour decides; `${…}` in a template string is code again. */
function flat(nodes: Nodes, around?: Kind): Piece[] {
  return nodes.flatMap(node => {
    if (node.type === 'text') return [{ text: node.value, kind: around }]
    if (node.type !== 'element') return []
    const classes = [node.properties.className].flat().map(String)
    const kind = classes.map(name => KINDS[name]).findLast(Boolean) ?? around
    return flat(node.children, classes.includes('hljs-subst') ? undefined : kind)
  })
}

/** A line of a recording: a command, or its output. */
function recordedLine(line: string): Piece[] {
  if (line.startsWith('$ ')) return [{ text: '$ ', kind: 'prompt' }, ...highlight('bash', line.slice(2))]
  return marked(line, /^( *…|\[exit status \d+\])$|(⟨[^⟩\n]*⟩)|(✔)|(✘)/m)
}

/** Plain text with highlighted parts: each group of the pattern, in order, is a kind. */
function marked(text: string, pattern: RegExp): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  for (const match of text.matchAll(new RegExp(pattern, `g${pattern.flags}`))) {
    pieces.push({ text: text.slice(at, match.index) })
    const group = match.slice(1).findIndex(Boolean)
    pieces.push({ text: match[0], kind: (['comment', 'stand-in', 'good', 'bad'] as const)[group] })
    at = match.index + match[0].length
  }
  return [...pieces, { text: text.slice(at) }].filter(({ text }) => text)
}
