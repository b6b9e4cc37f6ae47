import { rmSync, writeSync } from 'node:fs'
import { closing } from '../../common/descriptor.ts'
import { codeOf } from '../../common/error-code.ts'
import type { ListeningSocket } from '../../container/net/publish.ts'
import { Subject } from '../../kernel/process/handed.ts'

/** What one process of ours tells the next that continues its work: in the sandbox, or in the background. */
export interface Handed {
  /** sockets that listen on the host already */
  listeningSockets: ListeningSocket[]
  /** where the id goes once the program runs; closed without a word if it never does */
  notify?: number
  /** the file that takes its output */
  log?: string
  /** the process that takes back what is left: see RunRequest */
  keeper?: number
}

export const RUN = new Subject<Handed>('run')

/** What begins the reason why there is no id. */
export const WHY = '!'

/** Says the id, or why there is none, to whoever started us. Who is gone by now has not heard it, and nobody will read the log: throws. */
export function tell(notify: number, message: string, log?: string): void {
  using _ = closing(notify)
  try {
    writeSync(notify, message)
  } catch (error) {
    if (log !== undefined && codeOf(error) === 'EPIPE') rmSync(log, { force: true })
    throw error
  }
}
