import { AssertionError } from 'node:assert'

/** What was judged: a line for each, and the numbers at the end. */
export class Tally {
  passed = 0
  failed = 0

  /** Judges one thing: it holds unless an assertion fails. What is not an assertion is not for us to judge. */
  judge(what: string, ms: number, assertions: () => void): void {
    const seconds = `${(ms / 1000).toFixed(1)} s`
    try {
      assertions()
      this.passed++
      console.log(`✔ ${what}  ${seconds}`)
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error
      this.failed++
      console.log(`✘ ${what}  ${seconds}\n${error.message.replaceAll(/^/gm, '    ')}`)
    }
  }

  get verdict(): string {
    return `${this.passed} passed, ${this.failed} failed`
  }
}
