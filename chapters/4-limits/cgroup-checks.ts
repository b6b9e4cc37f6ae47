import { readFileSync } from 'node:fs'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { pathIn, readCgroup, type readings } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { namespaceInode } from '../../lib/kernel/process/procfs.ts'
import {
  NOT_JOINED,
  otherBandwidth,
  otherMemoryLimit,
  otherPidsLimit,
  otherSwapLimit,
  partlyJoined,
} from './causes.ts'
import { type Measured } from './experiments.ts'
import { isApart, LIMITS, relevant } from './readings.ts'

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

/** Which cgroup it is in, and which limits that has. */
export const cgroupChecks = {
  apart: {
    id: 'own-cgroup',
    claim: 'it is in its own cgroup',
    look({ pid }) {
      const ours = readFileSync('/proc/self/cgroup', 'utf8')
      const its = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      const rows = relevant().map(({ controller, hierarchy }) => ({
        evidence: seen(
          `/proc/${pid}/cgroup (${hierarchy.version === 2 ? 'v2' : controller})`,
          pathIn(ours, hierarchy) ?? 'none',
          pathIn(its, hierarchy) ?? 'none',
        ),
        controller,
        same: pathIn(ours, hierarchy) === pathIn(its, hierarchy),
      }))
      const controllers = (same: boolean) => rows.filter(row => row.same === same).map(row => row.controller)
      const [own, shared] = [controllers(false), controllers(true)]
      return finding(
        rows.length > 0 && shared.length === 0,
        rows.map(row => row.evidence),
        own.length > 0 ? partlyJoined(own, shared) : NOT_JOINED,
      )
    },
  },

  fromBirth: {
    id: 'limited-from-the-first-instruction',
    claim: "it joined before its program's first instruction",
    async look({ pid, shell }) {
      const outside = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
      const inside = (await shell.run('cat /proc/self/cgroup')).output
      const rows = relevant().map(({ controller, hierarchy }) => ({
        evidence: seen(
          `cat /proc/self/cgroup (${hierarchy.version === 2 ? 'v2' : controller})`,
          pathIn(outside, hierarchy) ?? 'none',
          pathIn(inside, hierarchy) ?? 'none',
        ),
        // the root of a cgroup namespace never changes: it is the cgroup its creator was in, cgroup_namespaces(7)
        root: pathIn(inside, hierarchy) === '/' && isApart(pid, controller),
      }))
      const evidence = rows.map(row => row.evidence)
      if (namespaceInode(pid, 'cgroup') === namespaceInode('self', 'cgroup'))
        return finding(
          false,
          evidence,
          'It shares our cgroup namespace, so nothing shows when it joined: unshare(CLONE_NEWCGROUP) never ran.',
        )
      return finding(
        rows.every(row => row.root),
        evidence,
        relevant().some(({ controller }) => isApart(pid, controller))
          ? 'Its cgroup is not the root of its cgroup namespace, so the namespace was made while the process was still in ours. Either it joined too late (cgroup.procs was written after the gate was opened), or the namespace came too early (CLONE_NEWCGROUP in the flags of the clone).'
          : NOT_JOINED,
      )
    },
  },

  limits: limitsSet('limits-set', 'that cgroup has the limits that we asked for'),
} satisfies Record<string, Check<Measured>>
