/** What the kernel truly refuses here, for want of rights or parts: the step goes on, marked limited, with the reason. */
export class LimitedError extends Error {
  override name = 'LimitedError'
  readonly remedy: string
  constructor(reason: string, remedy: string) {
    super(reason)
    this.remedy = remedy
  }
}
