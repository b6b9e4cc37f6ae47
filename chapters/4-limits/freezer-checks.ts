import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { hierarchyOf, readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { notFrozen, NOT_JOINED, stoppedBySignal } from './causes.ts'
import { type Measured } from './experiments.ts'
import { isFrozen } from './readings.ts'

export const freezerChecks = {
  frozen: {
    id: 'frozen',
    claim: 'the kernel reported it as frozen',
    look({ pid, freezer }) {
      if (!hierarchyOf('freezer')) return notHere('no mounted cgroup hierarchy can freeze')
      const { state, first = '' } = freezer ?? {}
      const row = seen(state?.source ?? 'freezer', null, state?.value ?? 'not tried: it is in ours')
      return finding(
        isFrozen(state),
        first.startsWith('T') ? [row, seen(`/proc/${pid}/status (State)`, null, first)] : row,
        !freezer
          ? NOT_JOINED
          : first.startsWith('T')
            ? stoppedBySignal(freezer)
            : `The kernel reported ${state?.value}. ${notFrozen(freezer)}`,
      )
    },
  },

  still: {
    id: 'frozen-still',
    claim: 'frozen, its endless loop used no CPU time; thawed, it went on',
    look({ pid, freezer }) {
      if (!hierarchyOf('freezer')) return notHere('no mounted cgroup hierarchy can freeze')
      if (!freezer) return finding(false, seen('freezer', null, 'not tried: it is in ours'), NOT_JOINED)
      const { state, first, stopped, later, after, thawed } = freezer
      const times = [stopped, later, thawed].map(Math.round).join(' → ')
      return finding(
        stopped === later && thawed > later,
        [
          seen(readCgroup(pid, 'cpuUsage')?.source ?? 'cpuUsage', null, `${times} µs`),
          seen(after?.source ?? 'freezer', null, `${state?.value} → ${after?.value}`),
        ],
        stopped < later
          ? `It still used CPU time after it should have stopped. ${first.startsWith('T') ? stoppedBySignal(freezer) : notFrozen(freezer)}`
          : isFrozen(after)
            ? 'It did not go on, and the kernel still reports it as frozen: the cgroup was never thawed.'
            : 'It was thawed, but did not go on. Most likely, a cgroup above it is frozen.',
      )
    },
  },
} satisfies Record<string, Check<Measured>>
