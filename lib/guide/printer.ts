import { Chalk, type ChalkInstance } from 'chalk'
import { printableInColour } from '../common/printable.ts'
import { asTyped } from './as-typed.ts'
import { fold, wrap } from './text.ts'

/** Colours on a terminal; none with `--plain`, NO_COLOR, or into a pipe. */
export function inkFor(plain: boolean): ChalkInstance {
  return new Chalk({ level: !plain && process.stdout.isTTY && !process.env.NO_COLOR ? 2 : 0 })
}

/** How many columns a text may use; with `--plain` always the same. */
export function widthFor(plain: boolean): number {
  return plain ? 88 : Math.min(88, Math.max(40, process.stdout.columns ?? 88))
}

/** Prints lines and paragraphs, at most as wide as the window, and never too wide to read easily. */
export class Printer {
  readonly #write: (text: string) => void
  protected readonly ink: ChalkInstance
  protected readonly width: number
  /** prints nothing: stdout belongs to a JSON document */
  readonly quiet: boolean

  /** `plain`: no colours, and a fixed width. `quiet`: prints nothing (`--json`). */
  constructor({ plain = false, quiet = false }: { plain?: boolean; quiet?: boolean } = {}) {
    this.quiet = quiet
    this.#write = quiet ? () => {} : text => process.stdout.write(text)
    this.ink = inkFor(plain)
    this.width = widthFor(plain)
  }

  line(text = ''): void {
    // the text may come from a learner's code or a container
    for (const line of fold(printableInColour(asTyped(text)), this.width)) this.#write(`${line}\n`)
  }

  /** Prints the top line. */
  protected head(text: string): void {
    const { bold, cyan } = this.ink
    this.line(cyan('━━') + bold(text) + cyan('━'.repeat(Math.max(2, this.width - text.length - 2))))
  }

  /** Prints a paragraph, wrapped, and an empty line; `code` in backquotes stands out. */
  protected paragraph(text: string): void {
    this.indentedParagraph(text)
    this.line()
  }

  /** Prints a paragraph without an empty line after it. */
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

  /** Prints lines as they are under a heading: rules, or a file. */
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
