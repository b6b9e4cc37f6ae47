import { type Page, plain } from './pages.ts'

/** A line of the table of contents. */
export interface Entry {
  page: Page
  /** `3`, or '' for a page after the chapters, such as the appendix */
  number: string
  /** the title without its number */
  title: string
  words: number
  minutes: number
}

/** Words read per minute in such prose. Code is not counted, because not every reader reads it. */
const WORDS_PER_MINUTE = 200

/** The table of contents. */
export function contents(pages: readonly Page[]): Entry[] {
  return pages.map(page => ({
    page,
    number: /^\d+(?=-)/.exec(page.name)?.[0] ?? '',
    get title() {
      return page.title.replace(/^\d+\. /, '')
    },
    get words() {
      return wordsOf(page)
    },
    get minutes() {
      return Math.max(1, Math.round(this.words / WORDS_PER_MINUTE))
    },
  }))
}

const wordsOf = ({ tokens }: Page) =>
  tokens
    .filter(({ type }) => type === 'inline')
    .flatMap(({ children }) => plain(children ?? []).match(/[\p{L}\p{N}][^\s]*/gu) ?? []).length

/** What to type to open a page: its number, or its name if it has none. */
export const handle = ({ number, page }: Pick<Entry, 'number' | 'page'>): string => number || page.name

/** All words that open a page: `3`, `root`, `3-root`. */
export const handles = ({ number, page }: Entry): string[] => [
  ...new Set([handle({ number, page }), page.name.replace(/^\d+-/, ''), page.name]),
]
