import { isDeepStrictEqual } from 'node:util'
import type { ChapterVerdict, Diagnosis } from './diagnose.ts'
import { inkFor, widthFor } from '../printer.ts'
import { fold, wrap } from '../text.ts'
import type { Verdict } from './probe.ts'

const MARKS: Record<Verdict, string> = { ok: '✔', limited: '–', blocked: '✘' }
const COLUMN = 22

/** The diagnosis as a page: the machine, then what it can show, then what to do next. */
export function page({ kernel, arch, mode, probes, chapters }: Diagnosis, plain: boolean): string {
  const { bold, cyan, dim, green, red, yellow } = inkFor(plain)
  const width = widthFor(plain)
  const colours = { ok: green, limited: yellow, blocked: red }
  const lines: string[] = []
  const narrow = width < 60
  const column = narrow ? 0 : COLUMN
  const indent = ' '.repeat(column + 6)
  const row = (verdict: Verdict, name: string, text: string, fixes: string[]) => {
    const rows = wrap(text, width - column - 6)
    const first = narrow ? '' : rows.shift()
    lines.push(`   ${colours[verdict](MARKS[verdict])}  ${name.padEnd(column)}${first}`)
    for (const line of rows) lines.push(indent + line)
    for (const [i, fix] of fixes.entries()) {
      const [command = '', ...rest] = wrap(fix, width - column - 9)
      lines.push(`${indent}${dim(i === 0 ? '→ ' : 'or ')}${cyan(command)}`)
      for (const line of rest) lines.push(`${indent}   ${cyan(line)}`)
    }
  }

  const head = ' minilab doctor '
  lines.push(cyan('━━') + bold(head) + cyan('━'.repeat(Math.max(2, width - head.length - 2))))
  lines.push(dim(` Linux ${kernel} on ${arch}, ${mode === 'root' ? 'as root' : 'without root'}`))
  lines.push('', bold(' This machine'), '')
  for (const { title, ok, found, fix } of probes) row(ok, title, found, fix === null ? [] : [fix])
  lines.push('', bold(' What it can show'), '')
  for (const [i, { step, name, verdict, reasons, fix }] of chapters.entries()) {
    const because = reasons.map(reason => reason.slice(0, reason.indexOf(':'))).join(', ')
    const repeatsFix = isDeepStrictEqual(fix, chapters[i - 1]?.fix) // the line above says it already
    const text = verdict === 'ok' ? 'all of it' : `${verdict}: ${because}`
    row(verdict, `step ${step}  ${name}`, text, repeatsFix ? [] : fix)
  }
  lines.push('', ...wrap(next(chapters, mode), width - 4).map(line => `   ${line}`), '')
  return lines.flatMap(line => fold(line, width)).join('\n')
}

/** What the learner can do next. */
function next(chapters: ChapterVerdict[], mode: Diagnosis['mode']): string {
  const begin = `Next: begin with ${mode === 'root' ? 'sudo ' : ''}./minilab step 1.`
  const steps = (verdict: Verdict) =>
    chapters
      .filter(chapter => chapter.verdict === verdict)
      .map(({ step }) => step)
      .join(', ')
  const sudo = chapters.some(({ fix }) => fix.some(command => command.startsWith('sudo ./minilab')))
  const more = sudo ? ' As root you could have more: sudo ./minilab doctor' : ''
  if (chapters[0]?.verdict === 'blocked')
    return `Next: put right what is marked ${MARKS.blocked} above, the first one first, and ask again.${more}`
  if (steps('blocked'))
    return `${begin} For step ${steps('blocked')} put right what is marked ${MARKS.blocked} above, and ask again.${more}`
  if (steps('limited'))
    return `${begin} Where a step is limited (${steps('limited')}), it says which stages cannot be had here, and runs the rest.${more}`
  return `${begin} Everything that the steps need is there.`
}
