import { inkFor, widthFor } from '../../guide/printer.ts'
import { counted, fold, wrap } from '../../guide/text.ts'
import { fileError } from '../../image/error.ts'
import { classPage, passed, predicted, shortTime } from '../../labs/class-page.ts'
import { type ClassReport, readClass, tasksOf } from '../../labs/class-report.ts'
import { writeOwned } from '../../labs/file-owner.ts'
import { loadLabs } from '../exercises.ts'
import { EXIT } from '../exit.ts'
import { printable } from '../../common/printable.ts'
import { warn } from '../report-error.ts'

/**
 * Prints a summary of the reports, and with `html` also writes it as a page. Files that are no reports are named on stderr. Resolves
 * to the exit status, which says whether there was such a file.
 */
export async function printClassReport(
  files: readonly string[],
  { html, plain = false }: { html?: string; plain?: boolean },
): Promise<number> {
  const report = readClass(files, await loadLabs())
  if (report.learners.length) console.log(table(report, plain))
  for (const line of [...report.problems, ...report.notes]) warn(line)
  if (html !== undefined) writePage(html, report)
  return report.problems.length ? EXIT.failed : EXIT.ok
}

function writePage(file: string, report: ClassReport): void {
  try {
    writeOwned(file, classPage(report, new Date()))
  } catch (error) {
    throw fileError(`write ${file}`, error)
  }
  console.log(`The page: ${printable(file)}`)
}

/** The columns with correct predictions: `12/17`. */
const QUIZ = 7

function table({ exercises: labs, learners, failures }: ClassReport, plain: boolean): string {
  const { bold, cyan, dim, red } = inkFor(plain)
  const width = widthFor(plain)
  const head = ' minilab class report '
  const lines = [cyan('━━') + bold(head) + cyan('━'.repeat(width - head.length - 2)), '']

  // a narrow window gets narrower gaps and shorter names, and no column for the time
  const cell = width < 84 ? 4 : 6
  const time = width < 60 ? '' : 'last in labs'
  const quiz = width < 72 ? '' : 'quiz'
  const places = Math.max(
    8,
    Math.min(24, width - 1 - cell * labs.length - (time ? 16 : 0) - (quiz ? QUIZ : 0)),
  )
  const numbers = labs.map(({ number }) => `${number}`.padEnd(cell)).join('')
  lines.push(bold(` ${fill('learner', places)}${numbers}${quiz && quiz.padEnd(QUIZ)}${time}`.trimEnd()))
  for (const learner of learners) {
    const { name, last, stuck } = learner
    const cells = labs.map(lab => passed(tasksOf(lab, learner)).padEnd(cell)).join('')
    const guessed = quiz && predicted(learner).padEnd(QUIZ)
    const when = time && (last ? shortTime(last) : '–')
    lines.push(` ${fill(printable(name), places)}${cells}${guessed}${when}`.trimEnd())
    if (!stuck) continue
    const { task, check, attempts, hints } = stuck
    const text = `stuck on ${task}: ${check}, ${counted(attempts, 'attempt')}, ${counted(hints, 'hint')}`
    for (const line of wrap(printable(text), width - 5)) lines.push(red(`   ${line}`))
  }

  if (failures.length) lines.push('', bold(' The checks that fail most'))
  for (const { exercise, check, cells, commonest } of failures) {
    const who = `${cells.size} of ${learners.length}`
    lines.push('', ` ${bold(who)}  ${exercise.number}-${exercise.name}: ${printable(check)}`)
    const most = cells.size > 1 ? ` (${commonest.count} of ${cells.size})` : ''
    for (const line of wrap(printable(commonest.diagnosis) + most, width - 5)) lines.push(dim(`   ${line}`))
  }
  return [...lines.flatMap(line => fold(line, width)), ''].join('\n')
}

/** Pads or cuts a text to a column. A wide letter (Unicode's East Asian Width) takes two places, a combining mark none. */
function fill(text: string, places: number): string {
  let [shown, used] = ['', 0]
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    const wide = /^[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{Emoji_Presentation}]/u.test(
      segment,
    )
    if (used + (wide ? 2 : 1) > places - 2) {
      shown += '…'
      used++
      break
    }
    shown += segment
    used += wide ? 2 : 1
  }
  return shown + ' '.repeat(places - used)
}
