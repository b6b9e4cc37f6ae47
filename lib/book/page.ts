import MarkdownIt, { type Token } from 'markdown-it'
import { certain } from '../common/certain.ts'
import { atMargin, codeBlock, type CodeBlock, type CodeSource } from './code-block.ts'
import { drawing } from './drawing.ts'
import { isDrawing, pictureOf } from './drawing-cells.ts'
import { highlight } from './highlight.ts'
import { html, Html } from './html.ts'
import { target } from './links.ts'
import { type Page, plain } from './pages.ts'
import { readSource, sourceLink, sourceText } from './sources.ts'

/** A page's text as HTML. The Markdown can only produce text: no HTML, styles or scripts. */
export function pageHtml({ tokens }: Page): Html {
  return new Html(renderer.render(tokens, options))
}

const { renderer, options } = new MarkdownIt()
const { rules } = renderer

/** A rule that needs only one token, not its neighbours. */
const on = (rule: (token: Token) => string) => (tokens: readonly Token[], i: number) =>
  rule(certain(tokens[i]))

rules.text = on(({ content }) => unbroken(content, /([\p{L}\p{N}]+-[\p{L}\p{N}-]*\p{N})/u).text)
rules.code_inline = on(({ content }) => html`<code>${unbroken(content, /(\S*-\S*)/)}</code>`.text)
rules.image = on(({ content }) => html`<em>${content}</em>`.text) // an image would cause a request
rules.html_inline = on(token => withoutComments(token).text)
rules.html_block = on(token => {
  const text = withoutComments(token)
  return text.text.trim() && html`<p>${text}</p>`.text
})

/** A longer word could be wider than a table's column on a phone. */
const UNBROKEN = 24

/** Text in which matching words are not broken at a hyphen: `--mutant`, CVE-2019-5736. */
function unbroken(text: string, pattern: RegExp): Html {
  const parts = text
    .split(pattern)
    .map((part, i) =>
      i % 2 && part.length <= UNBROKEN ? html`<span class="unbroken">${part}</span>` : html`${part}`,
    )
  return new Html(parts.map(({ text }) => text).join(''))
}

const withoutComments = ({ content }: Token) => html`${content.replace(/<!--.*?-->/gs, '')}`

/** The start tag of an element: the end tags have other rules. */
function open(tag: string, attributes: Record<string, string> = {}): string {
  const pairs = Object.entries(attributes).map(([name, value]) => ` ${name}="${lines(value)}"`)
  return `<${tag}${pairs.join('')}>`
}

rules.heading_open = on(token => {
  const { tag } = token
  // a followed link moves the focus here, so that Page Down scrolls the text, not the contents
  const heading = open(tag, { id: attribute(token, 'id'), tabindex: '-1' })
  return tag === 'h1' ? heading : `<div class="heading">${heading}`
})
rules.heading_close = (tokens, i) => {
  const { tag } = certain(tokens[i])
  if (tag === 'h1') return '</h1>\n'
  const href = `#${attribute(certain(tokens[i - 2]), 'id')}`
  const label = `Link to “${plain(certain(tokens[i - 1]).children ?? [])}”`
  return `</${tag}>${open('a', { class: 'anchor', href, 'aria-label': label })}#</a></div>\n`
}

rules.link_open = on(token => {
  const found = target(attribute(token, 'href'))
  if (found.to === 'source') {
    const href = sourceLink({ path: found.path, symbol: '' })
    if (href) return open('a', { href })
    return open('span', { class: 'source', title: `${found.path}, in minilab's sources` })
  }
  if (found.to === 'web') return open('a', { href: found.url, rel: 'noreferrer' })
  const page = found.page === undefined ? '' : `${found.page}.html`
  return open('a', { href: page + (found.anchor && `#${found.anchor}`) })
})
rules.link_close = (tokens, i) => {
  // links do not nest: the last opened one is this one
  const opened = certain(tokens.slice(0, i).findLast(({ type }) => type === 'link_open'))
  const found = target(attribute(opened, 'href'))
  return found.to === 'source' && sourceText(found.path) === undefined ? '</span>' : '</a>'
}

/** Alignment as a class, because the page allows no inline styles. */
function alignment(token: Token): Record<string, string> {
  const [, align] = /text-align:(\w+)/.exec(attribute(token, 'style')) ?? []
  return align ? { class: align } : {}
}
rules.th_open = on(token => open('th', { scope: 'col', ...alignment(token) }))
rules.td_open = on(token => open('td', alignment(token)))

// Content that may be wider than a phone scrolls in its own box, which can get the keyboard's focus
const box = (label: string) => ({ role: 'group', 'aria-label': label, tabindex: '0' })

rules.table_open = (tokens, i) => {
  const head = tokens.slice(
    i,
    tokens.findIndex(({ type }, j) => j > i && type === 'thead_close'),
  )
  const names = head.filter(({ type }) => type === 'inline').map(({ children }) => plain(children ?? []))
  return `${open('div', { class: 'wide', ...box(`Table: ${names.join(', ')}`) })}<table>\n`
}
rules.table_close = () => '</table></div>\n'
rules.fence = rules.code_block = (tokens, i) => {
  const block = codeBlock(certain(tokens[i]))
  if (!isDrawing(block)) return figure(block)
  const svg = drawing(block.text, pictureOf(tokens[i - 1]) ?? 'Drawing')
  return `<figure class="drawing">${open('div', { class: 'canvas', ...box('Drawing') })}${svg.text}</div></figure>\n`
}

function figure({ language, caption, sources, text, copy }: CodeBlock): string {
  const kind = language && language !== 'text' ? language : 'drawing'
  const label = caption || (kind === 'drawing' ? 'Drawing' : `Code: ${kind}`)
  const from = sources.length ? sources.map(captionHtml).join('; ') : html`${caption}`.text
  const code = codeHtml(language, language === 'console' ? atMargin(text) : text)
  return [
    open('figure', { class: kind, ...(copy !== text && { 'data-copy': copy }) }),
    caption && `<figcaption>${from}</figcaption>`,
    `${open('pre', box(label))}<code>${code.text}</code></pre></figure>\n`,
  ].join('')
}

function captionHtml({ source, caption }: CodeSource): string {
  const href = sourceLink(readSource(source))
  return (href ? html`<a href="${href}">${caption}</a>` : html`${caption}`).text
}

/** Highlighted code. */
export function codeHtml(language: string, text: string): Html {
  const code = highlight(language, text).map(({ text, kind }) =>
    kind ? `${open('span', { class: kind })}${lines(text)}</span>` : lines(text),
  )
  return new Html(code.join(''))
}

/** Text that keeps its line breaks. */
const lines = (text: string): string =>
  text
    .split('\n')
    .map(line => html`${line}`.text)
    .join('\n')

const attribute = (token: Token, name: string): string =>
  String(token.attrs?.find(([other]) => other === name)?.[1] ?? '')
