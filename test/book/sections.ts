import type { Chapter } from './chapters.ts'
import type { BookPage } from './page.ts'
import type { Problem } from './problem.ts'

/** What is wrong with the sections of a chapter: one for each stage of its step, in that order, beginning with a paragraph. */
export function checkSections({ file, tokens, title }: BookPage, chapter: Chapter): Problem[] {
  const problems: Problem[] = []
  const wanted = `${chapter.number}. ${chapter.title}`
  if (title !== wanted)
    problems.push({
      file,
      line: 1,
      what: `the title is "${title}"`,
      remedy: `it is that of the step: "${wanted}"`,
    })
  const sections = tokens.flatMap(({ type, tag, map }, i) =>
    type === 'heading_open' && tag === 'h2'
      ? [{ line: (map?.[0] ?? 0) + 1, title: tokens[i + 1]?.content ?? '', next: tokens[i + 3]?.type }]
      : [],
  )
  let last = { line: 1, title: 'the beginning' }
  for (const stage of chapter.stages) {
    const section = sections.find(other => other.title === stage)
    if (!section) {
      const remedy = `the step has a stage of that title, after ${last.title}`
      problems.push({ file, line: last.line, what: `there is no section "${stage}"`, remedy })
      continue
    }
    const place = { file, line: section.line }
    if (section.line < last.line)
      problems.push({
        ...place,
        what: `"${stage}" comes too early`,
        remedy: `its stage comes after "${last.title}"`,
      })
    if (section.next !== 'paragraph_open')
      problems.push({
        ...place,
        what: `"${stage}" does not begin with a paragraph`,
        remedy: 'write one: it is what the step prints',
      })
    last = section
  }
  return problems
}
