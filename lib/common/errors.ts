/** What the user asked for cannot be done as asked: the message says what is wrong, the remedy what to do; one line each. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly remedy: string

  constructor(message: string, remedy: string) {
    super(message)
    this.remedy = remedy
  }
}

/** A signal ended us while we waited for another process. Nothing is to be said; the exit status tells of it, as a shell's does. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly signal: number

  constructor(signal: number) {
    super(`ended by signal ${signal}`)
    this.signal = signal
  }
}
