import type { Scene } from '../../lib/guide/step.ts'
import { processExists } from '../../lib/kernel/process/procfs.ts'
import { pathIn } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { FORKS, type Measured, shareOf } from './experiments.ts'
import { counter, LIMITS, relevant } from './readings.ts'

const ALL = `${FORKS + 1}: the loop and all that it starts`
const ENDED = 'none: the kernel killed all of them'
const AT_LIMIT = `at most ${LIMITS.pids}: no more could be started`

type Own = Scene & Measured

/** The choices of the predictions, and which one the kernel made true. */
export const predictions = {
  path: {
    choices: ['the path that the host sees', '/'],
    async answer({ shell }: Own) {
      const [first] = relevant()
      const path = first && pathIn((await shell.run('cat /proc/self/cgroup')).output, first.hierarchy)
      return path === '/' ? '/' : 'the path that the host sees'
    },
  },

  status: {
    choices: ['0', '1', '137'],
    answer: ({ oom }: Own) => String(oom?.status),
  },

  share: {
    choices: ['all of it', 'half of it', 'a fifth of it'],
    answer: ({ cpu }: Own) => {
      const percent = 100 * shareOf(cpu)
      return percent < 35 ? 'a fifth of it' : percent < 75 ? 'half of it' : 'all of it'
    },
  },

  pids: {
    choices: [ALL, ENDED, AT_LIMIT],
    answer({ forker = 0 }: Own) {
      const count = processExists(forker) ? counter(forker, 'pidsCurrent') : 0
      return count === 0 ? ENDED : count <= LIMITS.pids ? AT_LIMIT : ALL
    },
  },
}
