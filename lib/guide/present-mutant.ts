import { titled } from './predict.ts'
import { Presenter } from './present.ts'
import type { TapeDifference, Wrong, WrongReport } from './run-mutant.ts'
import type { Check, Finding } from './step.ts'
import { wrap } from './text.ts'

/** How many calls of each kind are shown: more would push the question off the screen. */
const MOST_CALLS = 7

/** Presents a wrong run. It is about the checks: explanations and tapes are those of the right step, and are not shown again. */
export class MutantPresenter extends Presenter {
  #number = 0

  /** Prints what is wrong, and where the tape differs from the right one. */
  misconception<S>({ right, title, misconception }: Wrong<S>, { calls, reordered }: TapeDifference): void {
    const { bold, dim, green, red } = this.ink
    this.#number = right.number
    this.head(` Step ${right.number} · ${right.name} · ${title} `)
    if (misconception)
      for (const line of wrap(misconception, this.width - 2)) this.line(` ${this.code(bold(line))}`)
    this.line(dim(' in the sandbox: its own namespaces, which end with it'))
    this.line()
    if (reordered) this.note('The child makes the same calls as in the right one, in another order.')
    else if (calls.length === 0)
      this.note('The child makes the same calls as in the right one: it is what we do outside that differs.')
    else this.note('What the child does differently:')
    for (const [sign, ink] of [
      ['-', red],
      ['+', green],
    ] as const) {
      const some = calls.filter(call => call.startsWith(sign))
      const shown = some.length > MOST_CALLS ? some.slice(0, MOST_CALLS - 1) : some
      for (const call of shown)
        for (const [i, piece] of wrap(call, this.width - 10).entries())
          this.line(ink(`        ${i ? '  ' : ''}${piece}`))
      if (shown.length < some.length)
        this.line(dim(`        ${sign} … and ${some.length - shown.length} more`))
    }
  }

  override step(): void {}
  override explain(): void {}
  override source(): void {}
  override tape(): void {}
  override calls(): void {}
  override launch(): void {}
  override block(): void {}
  override end(): void {}

  override check(check: Pick<Check, 'claim'>, finding: Finding): void {
    if (finding.ok === false) super.check(check, finding)
    else super.check(check, { ...finding, evidence: [] })
  }

  /** Prints which checks found it, whether that was predicted, and what to do next. */
  verdict({ wrong: { breaks, broke }, checks, refused }: WrongReport, predicted?: readonly string[]): void {
    const { bold, green, red, yellow } = this.ink
    this.line()
    if (refused) {
      this.line(bold(red('   ✘ it went no further: there is no container to look at')))
      for (const text of [refused.message, refused.cause, refused.remedy]) if (text) this.note(text)
    } else {
      const count = broke.length === 1 ? '1 check sees' : `${broke.length} checks see`
      const looked = checks.filter(({ ok }) => ok !== null).length
      this.line(
        bold(broke.length ? red(`   ✘ ${count} it, of ${looked}`) : green(`   ✔ all ${looked} checks hold`)),
      )
      for (const check of checks) if (broke.includes(check.id)) this.note(titled(check))
    }
    const missed = (breaks ?? []).filter(id => !broke.includes(id))
    const notLookedAt = missed.filter(id => checks.find(check => check.id === id)?.ok === null)
    if (notLookedAt.length) this.note(yellow('could not be looked at here:'))
    for (const check of checks) if (notLookedAt.includes(check.id)) this.note(yellow(titled(check)))
    if (predicted) {
      const right = predicted.filter(id => broke.includes(id)).length
      const verdict =
        `You predicted ${right} of ${broke.length}` +
        (predicted.length > right ? `, and ${predicted.length - right} that hold` : '')
      this.line((right === broke.length && predicted.length === right ? green : yellow)(`      ${verdict}.`))
    }
    this.line()
    this.note(
      `Next: \`minilab step ${this.#number}\` builds it right; \`minilab step ${this.#number} --list-mutants\` shows other wrong ways.`,
    )
    this.line()
  }
}
