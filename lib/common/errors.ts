/** What stands in the way, by which the exit status is chosen. */
export type Kind =
  /** what was asked for cannot be done as it was asked */
  | 'usage'
  /** the machine lacks something: room, rights, programs */
  | 'machine'
  /** the kernel refuses it here, for want of rights or parts: a step goes on without it, and says so */
  | 'limited'
  /** a learner's code, or what it asked for, cannot go on */
  | 'refused'

/** A line of a source file, as an editor counts it, and what stands there. */
export interface SourceLine {
  file: string
  line: number
  text: string
  /** the exported name that it belongs to */
  within?: string
}

interface More {
  /** of a learner's file: where it came from */
  at?: SourceLine | undefined
  /** the exit status, where another than that of its kind is expected */
  status?: number
  cause?: unknown
}

/** What stops a command: the message says what is wrong, the remedy what to do; one line each. All else is a defect of ours. */
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

/** A signal ended us while we waited for another process. Nothing is to be said; the exit status tells of it, as a shell's does. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly signal: number

  constructor(signal: number) {
    super(`ended by signal ${signal}`)
    this.signal = signal
  }
}
