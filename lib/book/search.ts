// Runs in the terminal and, with its types removed, in the browser: so it imports nothing and does not use the DOM.

/** A heading of the book, and the text below it up to the next heading. */
export interface Section {
  /** `3-root` */
  page: string
  /** the title of the page */
  title: string
  heading: string
  /** the anchor of the heading */
  id: string
  text: string
}

export interface Match {
  section: Section
  /** its heading, in fragments */
  heading: Fragment[]
  /** some text around what was found, in fragments */
  snippet: Fragment[]
}

export interface Fragment {
  text: string
  /** whether this is one of the words searched for */
  hit: boolean
}

/** How many characters of text to show for a match. */
const SNIPPET = 160

/**
 * The sections that contain every word of the query, each as a word or the beginning of one; some of the words may be in the
 * page's title. Matches in titles come first, then in headings, then in texts; a whole word counts more than the beginning of a
 * longer one. A word that is not in the book is replaced by those that differ from it by one typing error.
 */
export function search(sections: readonly Section[], query: string): Match[] {
  const words = [...new Set(query.toLowerCase().split(/\s+/).filter(Boolean))].map(word => {
    const exact = pattern([word])
    const isThere = sections.some(({ title, heading, text }) =>
      [title, heading, text].some(text => text.search(exact) >= 0),
    )
    return isThere ? exact : pattern([word, ...similar(sections, word)])
  })
  if (words.length === 0) return []
  return sections
    .map(section => ({ section, score: score(section, words) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .map(({ section }) => ({
      section,
      heading: cut(section.heading, words),
      snippet: snippet(section.text, words),
    }))
}

/** Matches words that begin with one of these. Any characters other than letters and digits are allowed in between. */
function pattern(words: readonly string[]): RegExp {
  const beginnings = words.map(word => {
    const literal = word.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&').replace(/['\u2019]/g, "['\u2019]")
    return /^[\p{L}\p{N}]/u.test(word) ? `(?<![\\p{L}\\p{N}])${literal}` : literal
  })
  return new RegExp(beginnings.join('|'), 'giu')
}

/** Words of the book whose beginning differs by one typing error from a word, which must have at least five letters. */
function similar(sections: readonly Section[], word: string): string[] {
  if (!/^[\p{L}\p{N}_]{5,}$/u.test(word)) return []
  const all = sections.flatMap(
    ({ heading, text }) => `${heading} ${text}`.toLowerCase().match(/[\p{L}\p{N}_]+/gu) ?? [],
  )
  const begins = (other: string) =>
    [-1, 0, 1].map(more => other.slice(0, word.length + more)).filter(begin => differByOne(word, begin))
  return [...new Set([...new Set(all)].flatMap(begins))]
}

/** Whether two words differ by one letter (added, missing or different), or by two letters swapped. */
function differByOne(a: string, b: string): boolean {
  let common = 0
  while (common < a.length && a[common] === b[common]) common++
  const [restA, restB] = [a.slice(common), b.slice(common)]
  return (
    restA.slice(1) === restB.slice(1) ||
    restA.slice(1) === restB ||
    restA === restB.slice(1) ||
    (restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2))
  )
}

/** The score of a section; 0 if a word is missing. A heading counts only if it has all the words. */
function score({ title, heading, text }: Section, words: RegExp[]): number {
  const inHeading = words.map(word => weight(heading, word))
  const inText = words.map(word => weight(text, word))
  const isFound = (word: RegExp, i: number) => inHeading[i] || inText[i] || weight(title, word) > 0
  if (!words.every(isFound)) return 0
  const rank = inHeading.every(Boolean) ? (heading === title ? 1000 : 100) : 10
  return sum(inHeading) * rank + sum(inText)
}

const sum = (numbers: readonly number[]) => numbers.reduce((sum, number) => sum + number, 0)

/** How much a text matches a word, from 0 to 1: a whole word counts more than a beginning, the first occurrence more than the tenth. */
function weight(text: string, word: RegExp): number {
  const found = sum(
    [...text.matchAll(word)].map(({ index, 0: { length } }) =>
      /[\p{L}\p{N}]/u.test(text[index + length] ?? '') ? 0.25 : 1,
    ),
  )
  return found && 0.25 + 0.75 * (1 - 1 / (1 + found))
}

/** The part of a text that has most of the words. */
function snippet(text: string, words: RegExp[]): Fragment[] {
  let begin = 0
  let most = 0
  for (const { index } of words.flatMap(word => [...text.matchAll(word)])) {
    const from = Math.max(0, index - SNIPPET / 3)
    const part = text.slice(from, from + SNIPPET)
    const here = words.filter(word => part.search(word) >= 0).length
    if (here > most) [begin, most] = [from, here]
  }
  const end = begin + SNIPPET
  const part = text.slice(begin, end).replace(begin ? /^\S{0,40}\s+/ : /^/, begin ? '… ' : '')
  return cut(end < text.length ? part.replace(/\s+\S{0,40}$/, ' …') : part, words)
}

function cut(text: string, words: RegExp[]): Fragment[] {
  if (words.length === 0) return [{ text, hit: false }]
  const any = new RegExp(`(${words.map(({ source }) => source).join('|')})`, 'giu')
  return text
    .split(any)
    .map((text, i) => ({ text, hit: i % 2 === 1 }))
    .filter(({ text }) => text)
}
