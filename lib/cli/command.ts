import { Command } from 'commander'
import { EXIT } from './exit.ts'

/** commander's Command, whose action may return the exit status: commander drops what an action returns. */
export class MinilabCommand extends Command {
  readonly #ended: (status: number) => void

  /** `ended` is told the exit status once the action of this command, or of one below it, is over. */
  constructor(name: string, ended: (status: number) => void) {
    super(name)
    this.#ended = ended
  }

  override createCommand(name = ''): MinilabCommand {
    return new MinilabCommand(name, this.#ended)
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- as commander has it: an action knows its arguments and flags
  override action(act: (...args: any[]) => number | void | Promise<number | void>): this {
    return super.action(async (...args) => this.#ended((await act(...args)) ?? EXIT.ok))
  }
}
