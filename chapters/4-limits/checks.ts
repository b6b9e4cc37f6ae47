import { readFileSync } from 'node:fs'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Check, Evidence } from '../../lib/guide/step.ts'
import { hierarchyOf, pathIn, readCgroup, type readings } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { namespaceInode } from '../../lib/kernel/process/procfs.ts'
import {
  fraction,
  notFrozen,
  NOT_JOINED,
  otherBandwidth,
  otherMemoryLimit,
  otherPidsLimit,
  otherSwapLimit,
  partlyJoined,
  stoppedBySignal,
  unlimited,
} from './causes.ts'
import { type Measured, shareOf } from './experiments.ts'
import { ASKED, bandwidth, counter, isApart, isFrozen, LIMITS, relevant } from './readings.ts'

/** A number of the kernel's before and now, as evidence. */
const risen = (pid: number, what: Parameters<typeof counter>[1], before: number): Evidence =>
  seen(readCgroup(pid, what)?.source ?? what, null, `${before} → ${counter(pid, what)}`)

/** What each file of its cgroup should hold, and why it could hold something else. */
const WANTED: {
  what: keyof typeof readings
  v1: string
  v2?: string
  /** where there is no such file, nothing can be wrong with it */
  optional?: true
  why(pid: number): string
}[] = [
  {
    what: 'memoryLimit',
    v1: `${LIMITS.memory}`,
    v2: `${LIMITS.memory}`,
    why: otherMemoryLimit,
  },
  {
    what: 'swapLimit',
    v1: `${LIMITS.memory}`,
    v2: '0',
    optional: true, // swap accounting can be switched off
    why: otherSwapLimit,
  },
  {
    what: 'cpuQuota',
    v1: `${LIMITS.cpu.quota}`,
    v2: `${LIMITS.cpu.quota} ${LIMITS.cpu.period}`,
    why: otherBandwidth,
  },
  { what: 'cpuPeriod', v1: `${LIMITS.cpu.period}`, why: otherBandwidth },
  { what: 'pidsLimit', v1: `${LIMITS.pids}`, v2: `${LIMITS.pids}`, why: otherPidsLimit },
]

/** Who has the right quota and uses less of it is held back by something else. */
const quotaIsThere = (pid: number) =>
  bandwidth(pid).quota / bandwidth(pid).period === ASKED && isApart(pid, 'cpu')
const TOO_BUSY =
  'others keep this machine so busy that it cannot use up its quota (or a cgroup above it has a lower one)'

/** A check of the files that hold limits: all, or some. */
export function limitsSet(id: string, claim: string, some?: (keyof typeof readings)[]): Check<Measured> {
  const wanted = WANTED.filter(({ what }) => some?.includes(what) ?? true)
  return {
    id,
    claim,
    look({ pid }) {
      const rows = wanted.flatMap(({ what, v1, v2 = v1, optional, why }) => {
        const read = readCgroup(pid, what)
        if (!read && optional) return []
        if (read?.version === 2 && what === 'cpuPeriod') return [] // beside the quota
        const ok = read?.value === (read?.version === 2 ? v2 : v1)
        return { evidence: seen(read?.source ?? what, null, read?.value ?? 'no such file'), ok, why }
      })
      const reasons = new Set(rows.filter(row => !row.ok).map(row => row.why(pid)))
      return finding(
        reasons.size === 0,
        rows.map(row => row.evidence),
        [...reasons].join(' '),
      )
    },
  }
}

export const checks = {
  apart: {
    id: 'own-cgroup',
    claim: 'it is in a cgroup of its own',
    look({ pid }) {
      const [ours, its] = ['self', pid].map(who => readFileSync(`/proc/${who}/cgroup`, 'utf8')) as [
        string,
        string,
      ]
      const rows = relevant().map(({ controller, hierarchy }) => ({
        evidence: seen(
          `/proc/${pid}/cgroup (${hierarchy.version === 2 ? 'v2' : controller})`,
          pathIn(ours, hierarchy) ?? 'none',
          pathIn(its, hierarchy) ?? 'none',
        ),
        controller,
        same: pathIn(ours, hierarchy) === pathIn(its, hierarchy),
      }))
      const [own, shared] = [false, true].map(same =>
        rows.filter(row => row.same === same).map(row => row.controller),
      ) as [string[], string[]]
      return finding(
        rows.length > 0 && shared.length === 0,
        rows.map(row => row.evidence),
        own.length > 0 ? partlyJoined(own, shared) : NOT_JOINED,
      )
    },
  },

  fromBirth: {
    id: 'limited-from-the-first-instruction',
    claim: 'it was in there before its program’s first instruction',
    async look({ pid, shell }) {
      const outside = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      const inside = (await shell.run('cat /proc/self/cgroup')).output
      const rows = relevant().map(({ controller, hierarchy }) => ({
        evidence: seen(
          `cat /proc/self/cgroup (${hierarchy.version === 2 ? 'v2' : controller})`,
          pathIn(outside, hierarchy) ?? 'none',
          pathIn(inside, hierarchy) ?? 'none',
        ),
        // a cgroup namespace never changes its root: the cgroup that its maker was in then, cgroup_namespaces(7)
        root: pathIn(inside, hierarchy) === '/' && isApart(pid, controller),
      }))
      const evidence = rows.map(row => row.evidence)
      if (namespaceInode(pid, 'cgroup') === namespaceInode('self', 'cgroup'))
        return finding(
          false,
          evidence,
          'It shares our cgroup namespace, so nothing tells when it joined: unshare(CLONE_NEWCGROUP) never ran.',
        )
      return finding(
        rows.every(row => row.root),
        evidence,
        relevant().some(({ controller }) => isApart(pid, controller))
          ? 'Its cgroup is not the root of its cgroup namespace, so that was made while it was still in ours. Either it joined too late (cgroup.procs was written after the gate was opened), or the namespace came too early (CLONE_NEWCGROUP in the flags of the clone).'
          : NOT_JOINED,
      )
    },
  },

  limits: limitsSet('limits-set', 'the limits of that cgroup are those that we asked for'),

  oomKill: {
    id: 'oom-kill',
    claim: 'the kernel’s out-of-memory killer struck there, once',
    look({ pid, oom }) {
      const before = oom?.killsBefore ?? NaN
      return finding(counter(pid, 'oomKills') === before + 1, risen(pid, 'oomKills', before), () =>
        counter(pid, 'memoryLimit') === LIMITS.memory && isApart(pid, 'memory')
          ? 'The limit is there, but the counter of kills did not rise by one. Likeliest: what did not fit went to swap.'
          : `Nobody was killed. ${unlimited(pid, 'memory')}`,
      )
    },
  },

  sigkill: {
    id: 'oom-sigkill',
    claim: 'the program ended by SIGKILL; the shell that started it lives on',
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
    claim: 'the endless loop was held back: the kernel counted periods with throttling',
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
    claim: 'it used the share of a processor that its quota gives, within a fifth',
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
            cpu ? `${readCgroup(pid, 'cpuUsage')?.source}, over time` : 'its processor time',
            null,
            used ? `${used} = ${fraction(share)}` : 'counted with ours',
          ),
        ],
        () =>
          quotaIsThere(pid)
            ? 'It got more than its quota. Likeliest: it is counted with processes of other cgroups.'
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
        [row('pidsLimit'), row('pidsCurrent'), row('pidsRefused')],
        () =>
          `${counter(forker, 'pidsRefused') > 0 ? 'A fork was refused, but too late.' : 'No fork was refused here.'} ${otherPidsLimit(forker)}`,
      )
    },
  },

  frozen: {
    id: 'frozen',
    claim: 'the kernel called it frozen',
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
            : `The kernel called it ${state?.value}. ${notFrozen(freezer)}`,
      )
    },
  },

  still: {
    id: 'frozen-still',
    claim: 'frozen, its endless loop used no processor time; thawed, it went on',
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
          ? `It still ran after we had looked. ${first.startsWith('T') ? stoppedBySignal(freezer) : notFrozen(freezer)}`
          : isFrozen(after)
            ? 'It did not go on, and the kernel still calls it frozen: the cgroup was never thawed.'
            : 'It was thawed, and did not go on. Likeliest: a cgroup above it is frozen.',
      )
    },
  },
} satisfies Record<string, Check<Measured>>
