import { fit, fold, wrap } from '../guide/text.ts'
import type { Exercise, Reason, Task } from './exercise.ts'
import { callOf, type Row } from './align-tapes.ts'
import { LabPresenter } from './present.ts'
import { reasonFor } from './reasons.ts'
import type { TapeDiff } from './tape-diff.ts'

/** How many calls to show before and after a difference. */
const CONTEXT = 3

/** Prints `minilab diff`. */
export class DiffPresenter extends LabPresenter {
  /** Prints what the two tapes are about. */
  diffHead({ number, name }: Exercise, task: Task): void {
    this.head(` Lab ${number} · ${name} · ${task.id} `)
    this.line()
  }

  /** Prints the explanation for a task that has no tape to compare. */
  nothingToCompare({ number }: Exercise, { title }: Task): void {
    this.note(
      `There are no system calls to compare for the task “${title}”. What the checks say of it: \`minilab check ${number}\``,
    )
    this.line()
  }

  /** Prints two tapes side by side. */
  diff(exercise: Exercise, { rows, first }: TapeDiff, where = 'in the child'): void {
    if (rows.every(({ yours, reference }) => yours && reference !== undefined))
      return this.#equal(exercise, rows, where)
    const { dim, red, green, bold, cyan } = this.ink
    this.line(dim(`      ${where}`))
    const half = Math.floor((this.width - 10) / 2)
    this.line(`      ${bold('you'.padEnd(half + 2))}  ${bold('the reference')}`)
    const differs = rows.map(({ yours, reference }) => !yours || reference === undefined)
    const near = (at: number) => differs.slice(Math.max(0, at - CONTEXT), at + CONTEXT + 1).includes(true)
    let folded = 0
    for (const [i, row] of rows.entries()) {
      const { yours, reference } = row
      if (!near(i)) {
        folded++
        if (i + 1 < rows.length && !near(i + 1)) continue
        this.line(dim(`        ⋮ ${folded} the same`))
        folded = 0
        continue
      }
      const line = yours?.at ? String(yours.at.line).padStart(4) : '    '
      if (differs[i]) {
        // in full, on as many lines as needed: the end may be what differs
        const pieces = yours ? fold(yours.call, half - 4) : fold(reference ?? '', half)
        for (const [j, piece] of pieces.entries())
          if (yours) this.line(`  ${j ? '    ' : cyan(line)}  ${red(piece)}`)
          else this.line(`        ${' '.repeat(half - 4)}  ${green(piece)}`)
        continue
      }
      const left = fit(callOf(row), half - 4).padEnd(half - 4)
      this.line(dim(`  ${line}  ${left}  ${fit(callOf(row), half)}`))
    }
    this.line()
    if (first) this.note(first)
    this.note("Another tape than the reference's may be right: the checks look at what came of it.")
    this.line()
  }

  /** Prints two equal tapes, and why their calls are made. */
  #equal({ number, reasons }: Exercise, rows: readonly Row[], where: string): void {
    const { dim, green } = this.ink
    this.line(dim(`      ${where}: the same calls in the same order`))
    const told = new Set<Reason>()
    const shown = new Set<number>()
    let folded = 0
    const unfold = () => {
      if (folded) this.line(dim(`        ⋮ ${folded} more of lines above`))
      folded = 0
    }
    for (const row of rows) {
      const call = callOf(row)
      const at = row.yours?.at
      const reason = reasonFor(call, reasons)
      const isNew = reason && !told.has(reason)
      if (at && shown.has(at.line) && !isNew) {
        folded++
        continue
      }
      unfold()
      if (at) shown.add(at.line)
      for (const [i, line] of wrap(call, this.width - 10).entries())
        this.line(`  ${(i === 0 && at ? String(at.line) : '').padStart(4)}  ${green(line)}`)
      if (!isNew) continue
      told.add(reason)
      for (const line of wrap(reason.why, this.width - 14)) this.line(`            ${this.code(line)}`)
    }
    unfold()
    this.line()
    this.note(`How the reference writes it: \`minilab solution ${number}\`, once the lab is passed.`)
    this.line()
  }
}
