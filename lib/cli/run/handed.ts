import { rmSync, writeSync } from 'node:fs'
import { closing } from '../../common/descriptor.ts'
import { codeOf } from '../../common/error-code.ts'
import type { Ended } from '../../container/run/detached.ts'
import type { ListeningSocket } from '../../container/net/publish.ts'
import { Subject } from '../../kernel/process/handed.ts'

/** What one minilab process tells the next, which continues its work in the sandbox or in the background. */
export interface Handed {
  /** sockets that already listen on the host */
  listeningSockets: ListeningSocket[]
  /** where the id is written once the program runs; closed without output if it never does */
  notify?: number
  /** the file that receives its output */
  log?: string
  /** its container, which ran in the background, has ended */
  ended?: Ended
  /** the process that undoes what is left: see RunRequest */
  keeper?: number
}

export const RUN = new Subject<Handed>('run')

/** Starts the message that says why there is no id. */
export const WHY = '!'

/**
 * Writes the id, or why there is none, to the process that started us. Throws if that process has ended: then the log has no
 * reader.
 */
export function tell(notify: number, message: string, log?: string): void {
  using _ = closing(notify)
  try {
    writeSync(notify, message)
  } catch (error) {
    if (log !== undefined && codeOf(error) === 'EPIPE') rmSync(log, { force: true })
    throw error
  }
}
