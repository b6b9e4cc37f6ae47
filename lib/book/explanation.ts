import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { bookFolder } from './folder.ts'

/**
 * What a step prints before it acts: the first paragraph of the section with that title in the book, as one line. It is written
 * only there. Throws if the chapter has no such section, but book:check finds that first.
 */
export function explanation({ number, name }: { number: number; name: string }, title: string): string {
  const file = `${number}-${name}.md`
  const text = readFileSync(join(bookFolder, file), 'utf8')
  const [, section] = text.split(new RegExp(`\\n##+ ${RegExp.escape(title)}\\n`))
  const paragraph = section?.trim().split(/\n\n|\n<!--/)[0]
  if (!paragraph) throw new Error(`book/${file} has no section "${title}" that begins with a paragraph`)
  return paragraph.replaceAll('\n', ' ')
}
