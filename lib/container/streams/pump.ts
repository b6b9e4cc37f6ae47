import { closeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { codeOf } from '../../common/error-code.ts'
import { Wake } from '../../kernel/process/poll.ts'
import { carry, ourEnd, writeAll } from './carry.ts'
import { followSize, makeRaw } from './our-terminal.ts'

/** A container's terminal, connected with our stdin and stdout. */
export interface Pumped {
  /** Settles when all output has been written: once the last program has closed the terminal, or `programEnded` was called. */
  done: Promise<void>
  /** Other programs may still hold the terminal: what is in it by now is its output, and then it hangs up. */
  programEnded(): void
  /** Ends it, and gives our terminal back as it was. */
  end(): void
}

/**
 * Connects our terminal with a container's: keys go there untouched (so Ctrl-C is the container's matter), its output
 * comes here no faster than it is taken, and it follows our size. Takes over the descriptor of its master.
 */
export function pump(master: number, interactive: boolean): Pumped {
  const theirs = ourEnd(master)
  const keys = new Wake()
  const ended = new Wake()
  const restore = interactive && isatty(0) ? makeRaw(0) : () => {}
  const unfollow = followSize(master)
  const input = interactive
    ? carry({ fd: 0, ours: false }, bytes => writeAll(theirs, bytes, keys), keys).catch(readerGone)
    : Promise.resolve()
  const done = carry(theirs, bytes => writeAll({ fd: 1, ours: false }, bytes), ended)
    .catch(readerGone)
    .finally(() => {
      unfollow()
      keys.call() // from here on nothing is written to the master
      ended[Symbol.dispose]()
      closeSync(master) // for a program that still runs the terminal hangs up: SIGHUP, EIO
      void input.finally(() => keys[Symbol.dispose]())
    })
  return {
    done,
    programEnded: () => ended.call(),
    end() {
      restore()
      keys.call()
    },
  }
}

/** EIO: the terminal has gone, ours or the container's. EPIPE: nobody reads our output. Both are no fault, and the end of it. */
function readerGone(error: unknown): void {
  if (!['EIO', 'EPIPE'].includes(codeOf(error) ?? '')) throw error
}
