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
