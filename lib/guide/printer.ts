import { Chalk, type ChalkInstance } from 'chalk'
import { printableInColour } from '../common/printable.ts'
import { asTyped } from './as-typed.ts'
import { fold, wrap } from './text.ts'

/** Colours on a terminal; none with `--plain`, NO_COLOR, or into a pipe. */
export function inkFor(plain: boolean): ChalkInstance {
  return new Chalk({ level: !plain && process.stdout.isTTY && !process.env.NO_COLOR ? 2 : 0 })
}

/** How many columns a text may use; with `--plain` the same for every window. */
export function widthFor(plain: boolean): number {
  return plain ? 88 : Math.min(88, Math.max(40, process.stdout.columns ?? 88))
}

/** Prints lines and paragraphs, as wide as the window is and no wider than a text is read well. */
export class Printer {
  readonly #write: (text: string) => void
  protected readonly ink: ChalkInstance
  protected readonly width: number
  /** nothing is printed: stdout belongs to a JSON document */
  readonly quiet: boolean

  /**
   * `plain`: no colour, no dependence on the window's width. `quiet`: nothing at all (`--json`).
   */
  constructor({ plain = false, quiet = false }: { plain?: boolean; quiet?: boolean } = {}) {
    this.quiet = quiet
    this.#write = quiet ? () => {} : text => process.stdout.write(text)
    this.ink = inkFor(plain)
    this.width = widthFor(plain)
  }

  line(text = ''): void {
    // a learner's code, and a container, may have said any of it
    for (const line of fold(printableInColour(asTyped(text)), this.width)) this.#write(`${line}\n`)
  }

  /** The line on top. */
  protected head(text: string): void {
    const { bold, cyan } = this.ink
    this.line(cyan('━━') + bold(text) + cyan('━'.repeat(Math.max(2, this.width - text.length - 2))))
  }

  /** A paragraph, wrapped; `code` in backquotes stands out. */
  protected paragraph(text: string): void {
    this.indentedParagraph(text)
    this.line()
  }

  /** The same, and no empty line behind it. */
  protected indentedParagraph(text: string): void {
    this.line()
    for (const line of wrap(text, this.width - 6)) this.line(`      ${this.code(line)}`)
  }

  note(text: string): void {
    this.indented(text, line => this.code(line))
  }

  protected indented(text: string, ink: (text: string) => string): void {
    for (const line of wrap(text, this.width - 8)) this.line(`      ${ink(line)}`)
  }

  /** Text as it is, line by line: rules, a file. */
  block(heading: string, text: readonly string[]): void {
    this.heading(heading)
    for (const line of text) this.line(this.ink.dim('      │ ') + line)
    this.line()
  }

  protected heading(text: string): void {
    this.line(this.ink.dim(`      ┌ `) + this.ink.italic(text))
  }

  protected code(text: string): string {
    return text.replace(/`([^`]+)`/g, (_, code: string) => this.ink.cyan(code))
  }
}
