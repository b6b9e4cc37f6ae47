import type { Ended } from '../../container/run/detached.ts'
import type { ListeningSocket } from '../../container/net/publish.ts'
import { Subject } from '../../kernel/process/handed.ts'

/** What one minilab process tells the next, which continues its work in the sandbox or in the background. */
export interface Handed {
  /** sockets that already listen on the host */
  listeningSockets: ListeningSocket[]
  /** where the id is written once the program runs in the background; closed without output if it never does */
  notify?: number
  /** the mount namespace in which the monitor of a container with the learner's parts ends */
  home?: number
  /** its container, which ran in the background, has ended */
  ended?: Ended
  /** the process that undoes what is left: see RunRequest */
  keeper?: number
}

export const RUN = new Subject<Handed>('run')
