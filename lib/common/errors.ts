/** The kind of problem, which decides the exit status. */
export type Kind =
  /** the request is wrong */
  | 'usage'
  /** the machine lacks room, rights or programs */
  | 'machine'
  /** the kernel refuses it here for lack of rights or features: a step continues without it, and says so */
  | 'limited'
  /** a learner's code, or its request, cannot continue */
  | 'refused'

/** A line of a source file, numbered as editors do, and its text. */
export interface SourceLine {
  file: string
  line: number
  text: string
  /** the exported name whose definition the line is in */
  within?: string
}

interface More {
  /** the line of a learner's file that caused it */
  at?: SourceLine | undefined
  /** the exit status, if not the usual one of its kind */
  status?: number
  cause?: unknown
}

/** An expected error that ends a command: one line for what is wrong, one for the remedy. Any other error is a bug of ours. */
export class MinilabError<K extends Kind = Kind> extends Error {
  override readonly name = 'MinilabError'
  readonly kind: K
  readonly remedy: string
  readonly at: SourceLine | undefined
  readonly status: number | undefined

  constructor(kind: K, message: string, remedy: string, { at, status, cause }: More = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.kind = kind
    this.remedy = remedy
    this.at = at
    this.status = status
  }
}

/** Whether an error is one of ours of this kind. */
export const isKind = <K extends Kind>(error: unknown, kind: K): error is MinilabError<K> =>
  error instanceof MinilabError && error.kind === kind

/** A signal ended us while we waited for another process. Nothing is printed; the exit status tells, as a shell's does. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly signal: number

  constructor(signal: number) {
    super(`ended by signal ${signal}`)
    this.signal = signal
  }
}
