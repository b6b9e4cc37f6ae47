/** What the user asked for cannot be done as asked: the message says what is wrong, the remedy what to do; one line each. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly remedy: string

  constructor(message: string, remedy: string) {
    super(message)
    this.remedy = remedy
  }
}
