import { posix } from 'node:path'

/** Where a link of the book leads. */
export type Target =
  /** a page of the book, or a place on it; `page` is undefined for the same page */
  | { to: 'book'; page: string | undefined; anchor: string }
  /** the web */
  | { to: 'web'; url: string }
  /** a source file of minilab, relative to the checkout */
  | { to: 'source'; path: string }

/** The target of a link in a file of book/. */
export function target(href: string): Target {
  if (/^[a-z][a-z\d+.-]*:|^\/\//i.test(href)) return { to: 'web', url: href }
  const [path = '', anchor = ''] = href.split('#')
  const [, page] = /^(?:\.\/)?([^/]+)\.md$/.exec(path) ?? []
  if (page || !path) return { to: 'book', page, anchor }
  return { to: 'source', path: posix.join('book', path) }
}
