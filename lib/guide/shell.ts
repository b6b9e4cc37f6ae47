import { closeSync, writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { MinilabError } from '../common/errors.ts'
import { pipe } from '../kernel/process/pipe.ts'
import type { Shell } from './step.ts'
import { randomHex } from '../kernel/process/random.ts'

/** The error if the container's program has ended, or never listened. */
function shellEnded(printed: string): MinilabError {
  const lastWords = printed.trim().replaceAll(/\s*\n\s*/g, '; ')
  return new MinilabError(
    'usage',
    `the program in the container has ended, and cannot be asked any more${lastWords && `; it said: ${lastWords}`}`,
    'it must be a shell, with all its arguments, that reads its commands from its descriptor 0',
  )
}

/**
 * The pipes to the shell that a step's container runs. It reads commands from stdin, one after the other; a marker that nothing
 * else prints shows where an answer ends.
 */
export class PipedShell implements Shell {
  /** the container program's stdin, stdout and stderr */
  readonly stdio: [number, number, number]
  readonly #commands: number
  readonly #answers: AsyncIterator<Buffer>
  #rest = ''

  constructor() {
    const { read: theirIn, write: ourOut } = pipe()
    const { read: ourIn, write: theirOut } = pipe()
    this.stdio = [theirIn, theirOut, theirOut]
    this.#commands = ourOut
    // not a stream of node:fs: that would read in a libuv worker thread, for which process.exit() waits
    this.#answers = new Socket({ fd: ourIn, readable: true, writable: false })[Symbol.asyncIterator]()
  }

  /**
   * Closes our copy of its stdout, once the container's program has its own: only then do we see end-of-file when it ends. We
   * keep our copy of its stdin: writing to a pipe without a reader would give us a SIGPIPE, pipe(7).
   */
  closeTheirs(): void {
    closeSync(this.stdio[1])
  }

  /** Runs a command line after the ones before it: all answers come through one pipe. */
  run(command: string): Promise<{ output: string; status: number }> {
    const answer = this.#last.then(() => this.#ask(command))
    this.#last = answer.catch(() => undefined) // the caller gets the error
    return answer
  }
  #last: Promise<unknown> = Promise.resolve()

  async #ask(command: string): Promise<{ output: string; status: number }> {
    const mark = randomHex(6)
    // the empty here-document keeps the command from reading the commands after it; /dev/null may not exist yet
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

  /** Writes text without waiting for an answer. */
  write(text: string): void {
    writeSync(this.#commands, text)
  }

  /** Ends the shell's input, so that it exits. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    closeSync(this.#commands)
    closeSync(this.stdio[0])
  }
  #ended = false
}
