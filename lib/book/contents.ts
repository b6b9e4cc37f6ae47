import { type Page, plain } from './pages.ts'

/** A line of the table of contents. */
export interface Entry {
  page: Page
  /** `3`, or '' for what is behind the chapters, such as the appendix */
  number: string
  /** the title without its number */
  title: string
  words: number
  minutes: number
}

/** How many words of such prose one reads in a minute. Code is not counted: some read it, some do not. */
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

/** What one types to open a page: its number, or its name without one. */
export const handle = ({ number, page }: Pick<Entry, 'number' | 'page'>): string => number || page.name

/** The words by which a page can be opened: `3`, `root`, `3-root`. */
export const handles = ({ number, page }: Entry): string[] => [
  ...new Set([handle({ number, page }), page.name.replace(/^\d+-/, ''), page.name]),
]
