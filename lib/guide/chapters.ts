/** The chapters in order. A step, a lab and a page of the book take their number, name and title from here. */
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

/** The number, name and title of a chapter, to spread into the definition of its step, lab or page. */
export const chapter = (name: ChapterName): Chapter => ({
  number: NAMES.indexOf(name) + 1,
  name,
  title: TITLES[name],
})

export const CHAPTERS: readonly Chapter[] = NAMES.map(chapter)
