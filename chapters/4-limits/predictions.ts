import type { Scene } from '../../lib/guide/step.ts'
import { pathIn } from '../../lib/kernel/cgroupfs.ts'
import { FORKS, type Measured, shareOf } from './experiments.ts'
import { counter, LIMITS, relevant } from './readings.ts'

type Own = Scene & Measured

/** What the predictions offer, and which of it the kernel made true. */
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
    choices: ['100 %', '50 %', '20 %'],
    answer: ({ cpu }: Own) => {
      const percent = 100 * shareOf(cpu)
      return percent < 35 ? '20 %' : percent < 75 ? '50 %' : '100 %'
    },
  },

  pids: {
    choices: [`${FORKS + 1}: the loop and all that it starts`, `at most ${LIMITS.pids}: the limit`],
    answer: ({ forker = 0 }: Own) =>
      counter(forker, 'pidsCurrent') <= LIMITS.pids
        ? `at most ${LIMITS.pids}: the limit`
        : `${FORKS + 1}: the loop and all that it starts`,
  },
}
