import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bookFolder } from './folder.ts'

/**
 * What a step says before it acts: the first paragraph of the book's section of that title, as one line. The book is the
 * only place where it stands. Throws where the chapter has no such section: book:check finds that first.
 */
export function explanation({ number, name }: { number: number; name: string }, title: string): string {
  const file = `${number}-${name}.md`
  const text = readFileSync(join(bookFolder, file), 'utf8')
  const [, section] = text.split(`\n## ${title}\n`)
  const paragraph = section?.trim().split(/\n\n|\n<!--/)[0]
  if (!paragraph) throw new Error(`book/${file} has no section "${title}" that begins with a paragraph`)
  return paragraph.replaceAll('\n', ' ')
}
