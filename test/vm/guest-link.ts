import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer, Request } from './guest.ts'
import { VmProblem } from './problem.ts'

/** The host's end of the port: asks guest.ts for commands. */
export class GuestLink {
  readonly #port: Duplex
  readonly #waiting = new Map<number, (answer: Answer) => void>()
  readonly #gone: Promise<never>
  #count = 0

  /** @param exit resolves when the machine behind the port has ended */
  constructor(port: Duplex, exit: Promise<unknown>) {
    this.#port = port
    this.#gone = exit.then(() => {
      throw new VmProblem('the machine has ended by itself')
    })
    this.#gone.catch(() => {}) // whoever waits for an answer hears of it
    createInterface({ input: port }).on('line', line => {
      const answer = JSON.parse(line) as Answer
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
  }

  /** Resolves when guest.ts runs: it answers a request 0 that nobody made. */
  async ready(seconds: number): Promise<void> {
    await this.#answer(0, seconds, "the guest's login session")
  }

  /** Runs a command in the guest to its end. Where that does not come, the error shows what runs there. */
  async run(command: string[], seconds: number): Promise<Answer> {
    const request: Request = { id: ++this.#count, command }
    this.#port.write(JSON.stringify(request) + '\n')
    try {
      return await this.#answer(request.id, seconds, command.join(' '))
    } catch (error) {
      if (command[0] === 'ps' || !(error instanceof VmProblem)) throw error
      const { stdout } = await this.run(['ps', '-eo', 'pid,etimes,time,wchan:24,args', '--forest'], 60)
      throw new VmProblem(`${error.message}\n${stdout.replace(/^.*\[.*\]\n/gm, '')}`)
    }
  }

  async #answer(id: number, seconds: number, what: string): Promise<Answer> {
    const answer = new Promise<Answer>(resolve => this.#waiting.set(id, resolve))
    const timer = new AbortController()
    const late = sleep(seconds * 1000, undefined, { signal: timer.signal }).then(() => {
      throw new VmProblem(`no answer within ${seconds} s: ${what}`)
    })
    late.catch(() => {})
    try {
      return await Promise.race([answer, late, this.#gone])
    } finally {
      timer.abort()
    }
  }
}
