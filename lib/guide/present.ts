import { explanation } from '../book/explanation.ts'
import { isPart } from '../container/part.ts'
import type { Replayed } from '../kernel/tape/tape.ts'
import { callText, lines, otherParts, type TapeLine } from './tape-lines.ts'
import type { StepListener } from './events.ts'
import type { Check, Finding, Report, Stage, Step } from './step.ts'
import { manualLines } from './manual.ts'
import { sourceLine } from './source-line.ts'
import { Printer } from './printer.ts'
import { verdictLines } from './present-end.ts'
import { micro, wrap } from './text.ts'

/** The properties of a step that decide how its calls are shown. */
type Told = Pick<Step, 'teaches' | 'matters' | 'expected'> & { stages: readonly Pick<Stage, 'shows'>[] }

/** Prints the text of a step. Decides nothing: events tell it what happened. */
export class Presenter extends Printer {
  #limitedReason = ''
  readonly #reasons = new Set<string>()
  /** Prints an event of a step. */
  readonly hear: StepListener = event => {
    switch (event.kind) {
      case 'step':
        return this.step(event.step, event.mode, event.runtime)
      case 'stage':
        this.stage(event.number, event.of, event.stage.title)
        return this.explain(event.step, event.stage)
      case 'question':
        return this.question()
      case 'act':
        if (event.asked) this.line()
        return this.source(event.stage)
      case 'launch':
        if (event.own) return this.tape(event.own, event.tape, event.clone)
        return event.quiet ? undefined : this.launch(event.purpose, event.tape)
      case 'together':
        return this.launch(event.heading, event.tape)
      case 'calls':
        return this.calls(event.step, event.stage, event.tape)
      case 'limited':
        return this.limited(event.reason, event.remedy)
      case 'check':
        return this.check(event.check, event.finding)
      case 'prediction':
        return this.prediction(event.said, event.answer, event.why)
      case 'note':
        return this.note(event.text)
      case 'line':
        return this.line(event.text)
      case 'block':
        return this.block(event.heading, event.text)
      case 'end':
        return this.end(event.step, event.report)
    }
  }

  step(
    { number, name, title, parts }: Pick<Step, 'number' | 'name' | 'title' | 'parts'>,
    mode: string,
    runtime: string,
  ): void {
    const { bold, dim } = this.ink
    this.head(` Step ${number} · ${name} `)
    this.line(bold(` ${title}`))
    const others = runtime === 'minilab' ? '' : `, containers made by ${runtime}`
    const apart = parts.some(part => isPart(part, 'namespaces')) ? ', in a user namespace' : ''
    this.line(dim(` ${mode === 'root' ? 'as root' : `without root${apart}`}${others}`))
  }

  stage(number: number, count: number, title: string): void {
    this.#limitedReason = ''
    this.line()
    this.line(this.ink.bold(` ${number}/${count}  ${title}`))
  }

  /** Called before a question. The quiz then prints what the question is about. */
  question(): void {
    this.line()
  }

  /** Prints the first paragraph of a stage's section in the book. */
  explain(step: Pick<Step, 'number' | 'name'>, { title }: Pick<Stage, 'title'>): void {
    if (!this.quiet) this.indentedParagraph(explanation(step, title))
  }

  /** Prints where to read more about a stage. Printed after the question: names of functions could give the answer away. */
  source({ source, manual }: Pick<Stage, 'source' | 'manual'>): void {
    if (source) this.line(this.ink.dim(`      the code: ${sourceLine(source)}`))
    for (const line of manualLines(manual, this.width - 6)) this.line(this.ink.dim(`      ${line}`))
    this.line()
  }

  /** Prints the tape of the step's own container: what the step teaches in full, the rest in one line for each part or stage. */
  tape(step: Told, replayed: readonly Replayed[], clone?: Replayed): void {
    if (replayed.length === 0 || !clone) return
    const total = replayed.reduce((sum, { ns }) => sum + ns, clone.ns)
    this.heading('we made a child …')
    for (const line of wrap(`clone3(${clone.args}) = ${clone.result}`.replaceAll('|', '| '), this.width - 12))
      this.line(this.ink.dim('      │ ') + this.ink.cyan(line.replaceAll('| ', '|')))
    this.line(
      this.ink.dim('      ├ ') +
        this.ink.italic(`… and it made ${replayed.length} system calls; all that took ${micro(total)}`),
    )
    if (step.matters) this.line(this.ink.dim('    ▸ │ marks the calls that matter most'))
    const isOther = otherParts(step.teaches)
    const later = (call: Replayed) => {
      const stage = step.stages.findIndex(({ shows }) => shows?.(call)) + 1
      return stage ? `shown in stage ${stage}` : undefined
    }
    this.#told(
      step,
      lines(replayed, { elsewhere: call => isOther(call) ?? later(call), matters: step.matters }),
    )
  }

  /** Prints those of its calls that a later stage explains. */
  calls(step: Told, { shows }: Pick<Stage, 'shows'>, replayed: readonly Replayed[]): void {
    const shown = replayed.filter(call => shows?.(call))
    if (shown.length === 0) return
    this.heading('and these calls the child made for it')
    this.#told(step, lines(shown, { matters: step.matters }))
  }

  /** Prints calls of the step's own container, and why the kernel refused some. */
  #told({ matters, expected = {} }: Told, tape: TapeLine[]): void {
    this.#tapeLines(tape, matters)
    const errnos = new Set(tape.flatMap(line => ('errno' in line && line.errno) || []))
    for (const errno of errnos)
      if (expected[errno]) this.indented(`${errno}: ${expected[errno]}`, this.ink.dim)
    this.line()
  }

  /** Prints the tape of another launch: an attack, a visit. */
  launch(purpose: string, replayed: readonly Replayed[]): void {
    this.heading(purpose)
    this.#tapeLines(lines(replayed))
    this.line()
  }

  #tapeLines(tape: TapeLine[], matters?: (call: Replayed) => boolean): void {
    const { bold, dim } = this.ink
    for (const line of tape) {
      if ('summary' in line) {
        this.line(dim(`      │ ${line.summary}`))
        continue
      }
      const mark = matters?.(line) ? bold('    ▸ ') : '      '
      this.line(`${mark}${dim('│ ')}${callText(line, this.width - 8, this.ink)}`)
    }
  }

  check(check: Pick<Check, 'claim'>, finding: Finding): void {
    const { green, red, yellow, dim } = this.ink
    const mark = finding.limited ? yellow('–') : finding.ok ? green('✔') : red('✘')
    this.line(`   ${mark}  ${this.code(check.claim)}`)
    if (finding.limited && finding.limited !== this.#limitedReason)
      this.indented(`not looked at: ${finding.limited}`, yellow)
    for (const { source, host, container, note } of finding.evidence) {
      const values = [host === null ? '' : `host ${host}`, container === null ? '' : `container ${container}`]
      const text = values.filter(Boolean).join('   ')
      const room = this.width - 8 - text.length - source.length
      if (room >= 2) this.line(`      ${text}${dim(' '.repeat(room) + source)}`)
      else {
        this.indented(text, line => line)
        this.line(dim(source.padStart(this.width - 2)))
      }
      if (note) this.indented(note, dim)
    }
    if (finding.diagnosis) this.indented(finding.diagnosis, red)
  }

  /** Prints once for a stage what is limited, so that its checks need not; and the same reason only once in a step. */
  limited(reason: string, remedy: string): void {
    const { yellow, dim } = this.ink
    this.#limitedReason = reason
    if (this.#reasons.has(reason)) this.indented('limited here, for the same reason as above', yellow)
    else {
      this.indented(`limited here: ${reason}`, yellow)
      this.indented(`to have it: ${remedy}`, dim)
    }
    this.#reasons.add(reason)
    this.line()
  }

  prediction(predicted: string, right: string, why: string): void {
    const { green, yellow } = this.ink
    this.line()
    this.line(
      predicted === right
        ? green(`      You predicted it: ${right}.`)
        : yellow(`      You said ${predicted}; the kernel says ${right}.`),
    )
    this.note(why)
  }

  end(step: Pick<Step, 'recap' | 'next' | 'number'>, report: Report): void {
    this.line()
    if (report.checks.some(({ ok }) => ok !== null)) {
      this.note(step.recap)
      this.line()
    }
    for (const line of verdictLines(report, this.ink, this.width)) this.line(line)
    if (step.next) {
      this.line()
      const n = step.number
      const ways = [
        `Next: ${step.next}`,
        `Read why: \`minilab book ${n}\``,
        `Break it: \`minilab step ${n} --list-mutants\``,
        `Write it: \`minilab lab ${n}\``,
      ]
      for (const line of ways.flatMap(way => wrap(way, this.width - 4))) this.line(`   ${this.code(line)}`)
    }
    this.line()
  }
}
