import { closeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { codeOf } from '../../common/error-code.ts'
import { Wake } from '../../kernel/process/poll.ts'
import { carry, ourEnd, writeAll } from './carry.ts'
import { refused } from './streams.ts'
import { followSize, makeRaw } from './our-terminal.ts'

/** A container's terminal, connected to our stdin and stdout. */
export interface Pumped {
  /** Settles when all output has been written: once the last program has closed the terminal, or `programEnded` was called. */
  done: Promise<void>
  /** Other programs may still have the terminal open: its present content is the rest of the output, and then it hangs up. */
  programEnded(): void
  /** Ends it, and restores our terminal. */
  end(): void
}

/**
 * Connects our terminal to a container's. Keys go there unchanged (so Ctrl-C is for the container), its output
 * arrives no faster than it is consumed, and it follows our window size. Takes over the descriptor of its master.
 * `unread` is called when there is output, and our stdout has no reader.
 */
export function pump(master: number, interactive: boolean, unread: () => void): Pumped {
  const theirs = ourEnd(master)
  const keys = new Wake()
  const ended = new Wake()
  const restore = interactive && isatty(0) ? makeRaw(0) : () => {}
  const unfollow = followSize(master)
  const input = interactive
    ? carry({ fd: 0, ours: false }, bytes => writeAll(theirs, bytes, keys), keys).catch(readerGone)
    : Promise.resolve()
  const done = carry(theirs, bytes => writeAll({ fd: 1, ours: false }, bytes), ended)
    .catch((error: unknown) => {
      if (codeOf(error) === 'EPIPE') unread()
      else readerGone(error)
    })
    .catch((error: unknown) => {
      throw refused('write to stdout', error)
    })
    .finally(() => {
      unfollow()
      keys.call() // from here on we write nothing to the master
      ended[Symbol.dispose]()
      closeSync(master) // for a program that still runs, the terminal hangs up: SIGHUP, EIO
      void input.finally(() => keys[Symbol.dispose]())
    })
  done.catch(() => undefined) // Connection.finish throws it, once the program has ended
  return {
    done,
    programEnded: () => ended.call(),
    end() {
      restore()
      keys.call()
    },
  }
}

/** EIO: our terminal or the container's has gone. EPIPE: our output has no reader. Neither is an error; both end the connection. */
function readerGone(error: unknown): void {
  if (!['EIO', 'EPIPE'].includes(codeOf(error) ?? '')) throw error
}
