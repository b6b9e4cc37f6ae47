/** An element of a page, or a text in it. */
export interface Element {
  tag: string
  attributes: Record<string, string>
  children: (Element | string)[]
}

const TOKEN =
  /<!doctype html>|<(?<close>\/)?(?<tag>[a-z][a-z0-9]*)(?<attributes>(?: [a-z-]+="[^"<]*")*)(?<empty> ?\/)?>|(?<text>[^<]+)/y
const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }

const plain = (text: string) =>
  text.replace(/&([^;\s]*);?/g, (entity, name: string) => {
    const char = ENTITIES[name]
    if (!char) throw new Error(`a bare & before ${JSON.stringify(text.slice(0, 40))} (${entity})`)
    return char
  })

/**
 * Reads a page that is well-formed as XML is: every element closed, every attribute quoted, every < and & escaped in texts.
 * Stricter than a browser on purpose. Throws where it is not.
 */
export function parseHtml(page: string): Element {
  const root: Element = { tag: '', attributes: {}, children: [] }
  const open = [root]
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < page.length) {
    const at = TOKEN.lastIndex
    const found = TOKEN.exec(page)
    if (!found) throw new Error(`not HTML: ${page.slice(at, at + 80)}`)
    const { close, tag, attributes = '', empty, text } = found.groups ?? {}
    const parent = open.at(-1)!
    if (text !== undefined) parent.children.push(parent.tag === 'style' ? text : plain(text))
    else if (close) {
      if (parent.tag !== tag) throw new Error(`</${tag}> closes <${parent.tag}>`)
      open.pop()
    } else if (tag) {
      const pairs = [...attributes.matchAll(/ ([a-z-]+)="([^"]*)"/g)].map(([, name, value]) => [
        name!,
        plain(value!),
      ])
      const element = { tag, attributes: Object.fromEntries(pairs) as Record<string, string>, children: [] }
      parent.children.push(element)
      if (!empty) open.push(element)
    }
  }
  if (open.length > 1) throw new Error(`<${open.at(-1)!.tag}> is not closed`)
  return root
}

/** The elements below one, itself included, that have this tag. */
export function all(element: Element, tag: string): Element[] {
  const below = element.children.flatMap(child => (typeof child === 'string' ? [] : all(child, tag)))
  return element.tag === tag ? [element, ...below] : below
}

/** All elements of a page. */
export const everything = (element: Element): Element[] => [
  element,
  ...element.children.flatMap(child => (typeof child === 'string' ? [] : everything(child))),
]

/** The text of an element, as a screen reader says it: blanks as one. */
export const textOf = (element: Element): string => words(element).replace(/\s+/g, ' ').trim()

const words = ({ children }: Element): string =>
  children.map(child => (typeof child === 'string' ? child : words(child))).join('')
