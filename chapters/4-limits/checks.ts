import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Check, Evidence } from '../../lib/guide/step.ts'
import { readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { fraction, otherBandwidth, otherPidsLimit, unlimited } from './causes.ts'
import { cgroupChecks } from './cgroup-checks.ts'
import { type Measured, shareOf } from './experiments.ts'
import { freezerChecks } from './freezer-checks.ts'
import { ASKED, bandwidth, counter, isApart, LIMITS } from './readings.ts'

/** A counter of the kernel before and now, as evidence. */
const risen = (pid: number, what: Parameters<typeof counter>[1], before: number): Evidence =>
  seen(readCgroup(pid, what)?.source ?? what, null, `${before} → ${counter(pid, what)}`)

/** A process that has the right quota and uses less of it is held back by something else. */
const quotaIsThere = (pid: number) =>
  bandwidth(pid).quota / bandwidth(pid).period === ASKED && isApart(pid, 'cpu')
const TOO_BUSY =
  'other processes keep this machine so busy that it cannot use up its quota (or a cgroup above it has a lower one)'

export const checks = {
  ...cgroupChecks,

  oomKill: {
    id: 'oom-kill',
    claim: "the kernel's out-of-memory killer struck once in its cgroup",
    look({ pid, oom }) {
      const before = oom?.killsBefore ?? NaN
      return finding(counter(pid, 'oomKills') === before + 1, risen(pid, 'oomKills', before), () =>
        counter(pid, 'memoryLimit') === LIMITS.memory && isApart(pid, 'memory')
          ? 'The limit is right, but the kill counter did not rise by one. Most likely, what did not fit went to swap.'
          : `No process was killed. ${unlimited(pid, 'memory')}`,
      )
    },
  },

  sigkill: {
    id: 'oom-sigkill',
    claim: 'the program was killed by SIGKILL; the shell that started it lives on',
    async look({ pid, oom, shell }) {
      const { output } = await shell.run('echo here')
      return finding(
        oom?.status === 137 && output.trim() === 'here',
        [
          seen('$? after dd (128 + SIGKILL is 137)', null, String(oom?.status)),
          seen('echo here', null, output.trim()),
        ],
        () =>
          `${oom?.status === 0 ? 'It got all the memory that it wanted.' : 'It was not killed, but ended by itself.'} ${unlimited(pid, 'memory')}`,
      )
    },
  },

  throttled: {
    id: 'cpu-throttled',
    claim: 'the endless loop was held back: the kernel counted throttled periods',
    look({ pid, cpu }) {
      if (!cpu) return finding(false, seen('its periods', null, 'counted with ours'), otherBandwidth(pid))
      const held = counter(pid, 'cpuThrottled') > cpu.throttledBefore
      if (!held && quotaIsThere(pid)) return notHere(TOO_BUSY)
      return finding(
        held,
        [risen(pid, 'cpuThrottled', cpu.throttledBefore), seen('periods measured', null, cpu.periods)],
        () => `It was never held back. ${otherBandwidth(pid)}`,
      )
    },
  },

  share: {
    id: 'cpu-share',
    claim: 'it used the share of a CPU that its quota gives, to within a fifth',
    look({ pid, cpu }) {
      const { quota, period } = bandwidth(pid)
      const share = shareOf(cpu)
      const given = quota > 0 ? `${quota} of ${period} µs = ${fraction(quota / period)}` : 'none'
      if (share < 0.8 * ASKED && quotaIsThere(pid)) return notHere(TOO_BUSY)
      const used = cpu && `${Math.round(cpu.microseconds / 1000)} of ${Math.round(cpu.wall / 1000)} ms`
      return finding(
        quotaIsThere(pid) && Math.abs(share / ASKED - 1) <= 0.2,
        [
          seen('quota and period of its cgroup', null, given),
          seen(
            cpu ? `${readCgroup(pid, 'cpuUsage')?.source}, over time` : 'its CPU time',
            null,
            used ? `${used} = ${fraction(share)}` : 'counted with ours',
          ),
        ],
        () =>
          quotaIsThere(pid)
            ? 'It got more than its quota. Most likely, it is counted together with processes of other cgroups.'
            : otherBandwidth(pid),
      )
    },
  },

  pids: {
    id: 'pids-stopped',
    claim: 'the loop stopped at the limit: the next fork was refused',
    look({ forker = 0 }) {
      const row = (what: 'pidsLimit' | 'pidsCurrent' | 'pidsRefused') =>
        seen(
          readCgroup(forker, what)?.source ?? what,
          null,
          readCgroup(forker, what)?.value ?? 'no such file',
        )
      return finding(
        counter(forker, 'pidsLimit') === LIMITS.pids &&
          counter(forker, 'pidsCurrent') <= LIMITS.pids &&
          counter(forker, 'pidsRefused') > 0,
        [row('pidsLimit'), { ...row('pidsCurrent'), ...whyOneLess(forker) }, row('pidsRefused')],
        () =>
          `${counter(forker, 'pidsRefused') > 0 ? 'A fork was refused, but too late.' : 'No fork was refused here.'} ${otherPidsLimit(forker)}`,
      )
    },
  },

  ...freezerChecks,
} satisfies Record<string, Check<Measured>>

/** The subshell that runs the loop counts too, until its fork is refused: then it ends. */
function whyOneLess(pid: number): { note?: string } {
  if (counter(pid, 'pidsCurrent') !== LIMITS.pids - 1) return {}
  return {
    note: `There were ${LIMITS.pids}. The last was the subshell that ran the loop: when the kernel refused its fork, it ended.`,
  }
}
