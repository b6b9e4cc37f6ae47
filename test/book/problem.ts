/** Something in the book that is not, or no longer, true. */
export interface Problem {
  /** as `book/3-root.md` */
  file: string
  /** counted from 1 */
  line: number
  what: string
  /** what to do about it */
  remedy: string
}

/** `book/3-root.md:120: what is wrong: what to do`, where an editor finds the place. */
export function print({ file, line, what, remedy }: Problem): string {
  return `${file}:${line}: ${what}: ${remedy}`
}

/** A place in the book says something that cannot be; caught where the place is known. */
export class BookError extends Error {
  readonly remedy: string

  constructor(message: string, remedy: string) {
    super(message)
    this.remedy = remedy
  }
}

/** Does something about a place; what cannot be done is a problem there. */
export function attempt(problems: Problem[], place: Pick<Problem, 'file' | 'line'>, act: () => void): void {
  try {
    act()
  } catch (error) {
    if (!(error instanceof BookError)) throw error
    problems.push({ ...place, what: error.message, remedy: error.remedy })
  }
}
