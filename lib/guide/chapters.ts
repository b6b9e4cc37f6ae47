/** The chapters in their order: a step, a lab and a page of the book have the number, the name and the title of theirs. */
const TITLES = {
  cli: 'A process, and nothing around it',
  namespaces: 'The same kernel, seen through eight separate windows',
  root: 'A root file system you cannot leave',
  limits: 'How much it may use',
  layers: 'Many containers, one image',
  network: 'Virtual interfaces, a bridge, and the way out',
  run: 'All parts together, and what root may still do',
} as const

export type ChapterName = keyof typeof TITLES

export interface Chapter {
  number: number
  name: ChapterName
  title: string
}

const NAMES = Object.keys(TITLES) as ChapterName[]

/** What a step, a lab and a page of the book have in common: spread it into their definition. */
export const chapter = (name: ChapterName): Chapter => ({
  number: NAMES.indexOf(name) + 1,
  name,
  title: TITLES[name],
})

export const CHAPTERS: readonly Chapter[] = NAMES.map(chapter)
