import { closeSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { MinilabError } from '../common/errors.ts'
import { pipe } from '../kernel/process/pipe.ts'
import type { Shell } from './step.ts'
import { randomHex } from '../kernel/process/random.ts'

/** The container's program is not there any more, or never listened. */
function shellEnded(printed: string): MinilabError {
  const lastWords = printed.trim().replaceAll(/\s*\n\s*/g, '; ')
  return new MinilabError(
    'usage',
    `the program in the container has ended, and cannot be asked any more${lastWords && `; it said: ${lastWords}`}`,
    'it must be a shell, with all its arguments, that reads its commands from its descriptor 0',
  )
}

/**
 * The pipes by which we talk to the shell that is a step's container. It reads commands from stdin, one after the other;
 * a mark that nothing else prints tells where the answer ends.
 */
export class PipedShell implements Shell {
  /** what the container's program gets as its 0, 1 and 2 */
  readonly stdio: [number, number, number]
  readonly #commands: number
  readonly #answers: AsyncIterator<Buffer>
  #rest = ''

  constructor() {
    const { read: theirIn, write: ourOut } = pipe()
    const { read: ourIn, write: theirOut } = pipe()
    this.stdio = [theirIn, theirOut, theirOut]
    this.#commands = ourOut
    // not a stream of node:fs: that one would read in a libuv worker, for which process.exit() waits
    this.#answers = new Socket({ fd: ourIn, readable: true, writable: false })[Symbol.asyncIterator]()
  }

  /**
   * To be called when the container's program has its copies: only then is its end an end of file for us. Where it reads we
   * keep ours: pipe(7), a write to a pipe without a reader is a SIGPIPE for us.
   */
  closeTheirs(): void {
    closeSync(this.stdio[1])
  }

  /** Commands are put one after the other: there is one pipe for all answers. */
  run(command: string): Promise<{ output: string; status: number }> {
    const answer = this.#last.then(() => this.#ask(command))
    this.#last = answer.catch(() => undefined) // the caller hears of the failure
    return answer
  }
  #last: Promise<unknown> = Promise.resolve()

  async #ask(command: string): Promise<{ output: string; status: number }> {
    const mark = randomHex(6)
    // an empty here-document keeps the command from reading the commands that follow it; there may be no /dev/null yet
    this.write(`{ ${command}\n} <<${mark}\n${mark}\nprintf '\\n%s %s\\n' ${mark} $?\n`)
    const end = new RegExp(`\\n${mark} (\\d+)\\n`)
    for (;;) {
      const found = end.exec(this.#rest)
      if (found) {
        const output = this.#rest.slice(0, found.index)
        this.#rest = this.#rest.slice(found.index + found[0].length)
        return { output: output.trimEnd(), status: Number(found[1]) }
      }
      const { value, done } = await this.#answers.next()
      if (done) throw shellEnded(this.#rest)
      this.#rest += value.toString()
    }
  }

  /** Sends text without waiting for an answer. */
  write(text: string): void {
    writeSync(this.#commands, text)
  }

  /** Ends the shell's input: it then exits. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    closeSync(this.#commands)
    closeSync(this.stdio[0])
  }
  #ended = false
}
