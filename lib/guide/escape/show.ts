import { Printer } from '../printer.ts'
import type { Step } from '../step.ts'
import { wrap } from '../text.ts'
import type { Cell } from './attack.ts'
import { attacks } from './attacks.ts'

const WHAT = `A container runs another person's program on your kernel. Here that program is hostile: it makes the same ${attacks.length} attacks in the container of each chapter, which has all the parts that the chapters up to it have taught. Every attack is really made, and what came of it is read outside of the container. “The host” is a sandbox, with its own processes, files and network; yours is out of reach.`

const RELAPSE =
  "Why can chapter 2 stop what chapter 3 cannot? As root, chapter 2 makes root inside a user outside who owns nothing. From chapter 3 on both are the same user, so that the files of an image belong to whom they should; what belongs to the host's root then has to be protected by other means."

/** Prints the ladder: an introduction, each chapter's result, the matrix, and the evidence. */
export class EscapePresenter extends Printer {
  readonly #steps: readonly Step[]

  constructor(options: { plain: boolean; quiet: boolean }, steps: readonly Step[]) {
    super(options)
    this.#steps = steps
  }

  /** `only`: the chapter, if only one is attacked. */
  begin(rootless: boolean, only?: number): void {
    this.head(` The escape ladder ${only === undefined ? '' : `· chapter ${only} ${this.#name(only)} `}`)
    this.line(this.ink.dim(` ${rootless ? 'without root, in a user namespace' : 'as root'}`))
    this.paragraph(WHAT)
  }

  /** Prints the results of one chapter. */
  chapter(number: number, cells: readonly Cell[]): void {
    const { red, green, yellow, dim } = this.ink
    const count = (stopped: boolean | null) => cells.filter(cell => cell.stopped === stopped).length
    const [through, held, unknown] = [count(false), count(true), count(null)]
    const parts = [
      through ? red(`${through} got through`.padEnd(16)) : ' '.repeat(16),
      green(`${held} stopped`.padEnd(13)),
      unknown ? yellow(`${unknown} cannot be told here`) : '',
    ]
    this.line(
      `      ${dim('chapter')} ${number} ${this.#name(number).padEnd(12)} ${parts.join('')}`.trimEnd(),
    )
  }

  /** Prints all chapters side by side, then the evidence of every cell; similar cells once. */
  matrix(cells: readonly Cell[], rootless: boolean): void {
    const { bold, dim } = this.ink
    const title = Math.max(...attacks.map(attack => attack.title.length)) + 2
    this.line()
    this.#legend()
    this.line()
    const numbers = this.#steps.map(({ number }) => number).join('  ')
    this.line(bold(`      ${'chapter'.padEnd(title)}${numbers}`) + dim('   stopped from here on by'))
    for (const attack of attacks) {
      const row = cells.filter(cell => cell.attack === attack.id)
      const marks = row.map(cell => this.#mark(cell)).join('  ')
      this.line(`      ${attack.title.padEnd(title)}${marks}   ${dim(this.#stoppedBy(row))}`.trimEnd())
    }
    if (!rootless && relapses(cells)) {
      this.line()
      this.note(RELAPSE)
    }
    for (const attack of attacks) {
      this.#attack(attack)
      for (const group of grouped(cells.filter(cell => cell.attack === attack.id))) this.#evidence(group)
    }
  }

  /** Prints one chapter alone. */
  column(cells: readonly Cell[]): void {
    this.#legend()
    for (const attack of attacks) {
      this.#attack(attack)
      for (const cell of cells.filter(({ attack: id }) => id === attack.id)) this.#evidence([cell])
    }
  }

  verdict(cells: readonly Cell[]): void {
    const { bold, red, green, yellow } = this.ink
    const last = this.#steps.at(-1)?.number ?? 0
    const numbers = [...new Set(cells.map(({ chapter }) => chapter))]
    const judged = numbers.includes(last) ? last : (numbers[0] ?? 0)
    const column = cells.filter(({ chapter }) => chapter === judged)
    const through = column.filter(({ stopped }) => stopped === false).length
    const unknown = column.filter(({ stopped }) => stopped === null).length
    this.line()
    const summary =
      through > 0
        ? red(
            `✘ ${through} of ${column.length} attacks ${through === 1 ? 'gets' : 'get'} through in chapter ${judged}`,
          )
        : green(
            `✔ chapter ${judged} stops ${unknown ? `${column.length - unknown} of ${column.length}` : `all ${column.length}`} attacks`,
          )
    this.line(bold(`   ${summary}`) + (unknown ? `  ${yellow(`${unknown} cannot be told here`)}` : ''))
    this.line()
    this.note(
      numbers.length > 1
        ? `Next: \`minilab escape 6\` shows one chapter alone, and \`minilab step ${last}\` how the last holes are closed. Then try it yourself: \`minilab run -it default sh\`.`
        : judged < last
          ? `Next: \`minilab step ${judged + 1}\` adds what chapter ${judged + 1} teaches; \`minilab escape ${judged + 1}\` shows what that is good for.`
          : 'Next: try it yourself: `minilab run -it default sh` is protected in the same way.',
    )
    this.line()
  }

  #name(number: number): string {
    return this.#steps.find(step => step.number === number)?.name ?? ''
  }

  #legend(): void {
    const { red, green, yellow } = this.ink
    this.line(
      `      ${red('✘ it got through')}   ${green('✔ the kernel stopped it')}   ${yellow('– cannot be told here')}`,
    )
  }

  #attack({ title, tries }: { title: string; tries: string }): void {
    this.line()
    this.line(this.ink.bold(`      ${title}`))
    for (const line of wrap(tries, this.width - 8)) this.line(this.ink.dim(`      ${this.code(line)}`))
  }

  /** Prints cells with the same evidence as one. */
  #evidence(cells: readonly Cell[]): void {
    const [first] = cells
    const last = cells.at(-1)
    if (!first || !last) return
    const where = first === last ? `${first.chapter}` : `${first.chapter}–${last.chapter}`
    wrap(first.evidence, this.width - 14).forEach((line, i) =>
      this.line(i === 0 ? `   ${this.#mark(first)}  ${where.padEnd(4)} ${line}` : `           ${line}`),
    )
  }

  #mark({ stopped }: Cell): string {
    const { red, green, yellow } = this.ink
    return stopped === null ? yellow('–') : stopped ? green('✔') : red('✘')
  }

  /** The first chapter from which on the attack never succeeds. */
  #stoppedBy(row: readonly Cell[]): string {
    const at = row.findLastIndex(({ stopped }) => stopped !== true) + 1
    const cell = row[at]
    return cell ? `${cell.chapter} ${this.#name(cell.chapter)}` : ''
  }
}

/** Whether an attack that one chapter stopped succeeds in a later one, because that container lost rights over the host's files. */
function relapses(cells: readonly Cell[]): boolean {
  const at = (attack: string, number: number) =>
    cells.find(cell => cell.attack === attack && cell.chapter === number)?.stopped
  return attacks.some(({ id }) => at(id, 2) === true && at(id, 3) === false)
}

/** Groups neighbours of one row that have the same outcome, and evidence that differs only in numbers. */
function grouped(row: readonly Cell[]): Cell[][] {
  const key = (cell: Cell) => `${cell.stopped} ${cell.evidence.replace(/\d+/g, '#')}`
  const groups: Cell[][] = []
  for (const cell of row) {
    const group = groups.at(-1)
    if (group?.[0] && key(group[0]) === key(cell)) group.push(cell)
    else groups.push([cell])
  }
  return groups
}
