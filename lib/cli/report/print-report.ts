import { machine as hardware, release } from 'node:os'
import { asTyped } from '../../guide/as-typed.ts'
import { inkFor, widthFor } from '../../guide/printer.ts'
import { counted, fold, wrap } from '../../guide/text.ts'
import { cgroupMode } from '../../kernel/cgroup/cgroupfs.ts'
import { MinilabError } from '../../common/errors.ts'
import { learner } from '../../labs/learner.ts'
import { MARKS } from '../../labs/overview.ts'
import { readProgress } from '../../labs/progress.ts'
import { makeReport } from '../../labs/report.ts'
import type { LabReport, ReportedTask } from '../../labs/report-shape.ts'
import { writtenFiles } from '../../labs/learners-files.ts'
import { findWorkspace } from '../../labs/workspace.ts'
import { loadLabs } from '../exercises.ts'
import { printable } from '../../common/printable.ts'
import { isRootless } from '../rootless.ts'

/** Prints the progress recorded in the workspace. Throws a usage error if there is no workspace. */
export async function printReport(
  { json, name, plain = false }: { json?: boolean; name?: string; plain?: boolean },
  version: string,
): Promise<void> {
  const workspace = findWorkspace()
  if (!workspace)
    throw new MinilabError(
      'usage',
      'there is no workspace here: nothing to report',
      'begin with minilab lab 1',
    )
  const report = makeReport(await loadLabs(), readProgress(workspace), {
    learner: learner(workspace.folder, name),
    files: writtenFiles(workspace),
    machine: {
      kernel: release(),
      arch: hardware(),
      cgroup: cgroupMode(),
      mode: isRootless() ? 'rootless' : 'root',
      minilab: version,
    },
  })
  console.log(json ? JSON.stringify(report, null, 2) : page(report, plain))
}

/** The report for the learner: what is done, what is not and why, and how to hand it in. */
function page(
  { learner: who, made, machine, exercises: labs, files = [], predictions }: LabReport,
  plain: boolean,
): string {
  const ink = inkFor(plain)
  const { bold, cyan, dim, red } = ink
  const width = widthFor(plain)
  const indented = (text: string) => wrap(printable(text), width - 8).map(line => `      ${line}`)

  const head = ' minilab report '
  const lines = [cyan('━━') + bold(head) + cyan('━'.repeat(width - head.length - 2))]
  lines.push(` ${bold(printable(who.name))} ${dim(`(${who.from}), ${day(made)} UTC`)}`)
  const how = machine.mode === 'root' ? 'as root' : 'without root'
  lines.push(
    dim(
      ` Linux ${machine.kernel} on ${machine.arch}, cgroup ${machine.cgroup}, ${how}, minilab ${machine.minilab}`,
    ),
  )
  for (const { number, name, title, tasks } of labs) {
    const done = tasks.filter(({ passed }) => passed).length
    lines.push('', ` ${bold(`${number} ${name}`)}  ${title}  ${dim(`${done} of ${tasks.length} passed`)}`, '')
    for (const task of tasks) {
      const [first = '', ...more] = indented(`${task.title}: ${told(task)}`)
      const [mark, colour] = MARKS[task.state]
      lines.push(`   ${ink[colour](mark)}  ${first.trim()}`, ...more)
      if (task.failing)
        for (const line of indented(`${task.failing.check}: ${task.failing.diagnosis}`)) lines.push(red(line))
    }
  }
  const right = predictions.filter(prediction => prediction.right).length
  if (predictions.length)
    lines.push('', ` ${bold('Predictions')}  ${dim(`${right} of ${predictions.length} right`)}`, '')
  for (const { right: said, ...prediction } of predictions)
    if (!said)
      lines.push(
        ...indented(
          `step ${prediction.step}: ${prediction.question} You said ${prediction.said}; the kernel says ${prediction.answer}.`,
        ),
      )
  if (files.length) lines.push('', ` ${bold('Your code')}`, '')
  for (const { name, text } of files)
    lines.push(...indented(`${name}, ${counted(text.trimEnd().split('\n').length, 'line')}`))
  const file =
    who.name
      .toLowerCase()
      .match(/[a-z0-9]+/g)
      ?.join('-')
      .slice(0, 40) ?? 'report'
  lines.push(
    '',
    `   To hand it in, with your code: ${cyan(asTyped(`minilab report --json > ${file}.json`))}`,
    '',
  )
  return lines.flatMap(line => fold(line, width)).join('\n')
}

/** What is known about a task, in one line. */
function told({ state, passed, gaveUp, attempts, hints }: ReportedTask): string {
  if (state === 'untouched') return state
  const parts = [
    gaveUp && `solution read ${day(gaveUp)}`,
    passed && `passed ${day(passed)}`,
    attempts && counted(attempts, 'attempt'),
    hints && counted(hints, 'hint'),
  ]
  return parts.filter(Boolean).join(', ') || state
}

/** '2026-11-22 09:46'. */
const day = (iso: string) => iso.slice(0, 16).replace('T', ' ')
