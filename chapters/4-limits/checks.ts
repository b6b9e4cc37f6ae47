import { readFileSync } from 'node:fs'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Check, Evidence, Scene } from '../../lib/guide/step.ts'
import { hierarchyOf, pathIn, readCgroup } from '../../lib/kernel/cgroupfs.ts'
import { namespaceInode } from '../../lib/kernel/procfs.ts'
import { ASKED, counter, FORKS, isApart, LIMITS, type Measured, shareOf } from './experiments.ts'

type Own = Scene & Measured

/** The hierarchies that matter here: one on v2, one for each controller on v1. */
const relevant = () => [
  ...new Map(
    ['memory', 'cpu', 'pids', 'freezer'].flatMap(controller => {
      const hierarchy = hierarchyOf(controller)
      return hierarchy ? [[hierarchy.mount, { controller, hierarchy }] as const] : []
    }),
  ).values(),
]

const NOT_JOINED =
  'Likeliest: the limit was written, but the process never joined: its pid is not in the cgroup.procs of that directory.'

/** A number of the kernel's before and now, as evidence. */
const risen = (pid: number, what: Parameters<typeof counter>[1], before: number): Evidence =>
  seen(readCgroup(pid, what)?.source ?? what, null, `${before} → ${counter(pid, what)}`)

const fraction = (share: number) => `${(100 * share).toFixed(1)} %`

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
        same: pathIn(ours, hierarchy) === pathIn(its, hierarchy),
      }))
      return finding(
        rows.length > 0 && !rows.some(row => row.same),
        rows.map(row => row.evidence),
        `It is in the same cgroup as we are. ${NOT_JOINED}`,
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
          'It shares our cgroup namespace, so nothing tells when it joined. Likeliest: unshare(CLONE_NEWCGROUP) never ran.',
        )
      return finding(
        rows.every(row => row.root),
        evidence,
        'Its cgroup is not the root of its cgroup namespace, which was made before execve. Likeliest: it joined too late (cgroup.procs was written after the gate was opened), or never.',
      )
    },
  },

  limits: {
    id: 'limits-set',
    claim: 'the limits of that cgroup are those that we asked for',
    look({ pid }) {
      const rows = (
        [
          ['memoryLimit', LIMITS.memory],
          ['cpuQuota', LIMITS.cpu.quota],
          ['pidsLimit', LIMITS.pids],
        ] as const
      ).map(([what, wanted]) => {
        const read = readCgroup(pid, what)
        return {
          evidence: seen(read?.source ?? what, null, read?.value ?? 'no such file'),
          ok: read?.value.split(' ')[0] === String(wanted), // v2's cpu.max has the period behind the quota
        }
      })
      return finding(
        rows.every(row => row.ok),
        rows.map(row => row.evidence),
        `Asked for ${LIMITS.memory} bytes, ${LIMITS.cpu.quota} of ${LIMITS.cpu.period} µs, ${LIMITS.pids} processes. Likeliest: the limits were written to another cgroup than the one that the process is in.`,
      )
    },
  },

  oomKill: {
    id: 'oom-kill',
    claim: 'the kernel’s out-of-memory killer struck there, once',
    look({ pid, oom }) {
      const before = oom?.killsBefore ?? NaN
      return finding(
        counter(pid, 'oomKills') === before + 1,
        risen(pid, 'oomKills', before),
        `The counter of kills did not rise by one. ${NOT_JOINED}`,
      )
    },
  },

  sigkill: {
    id: 'oom-sigkill',
    claim: 'the program ended by SIGKILL; the shell that started it lives on',
    async look({ oom, shell }) {
      const { output } = await shell.run('echo here')
      return finding(
        oom?.status === 137 && output.trim() === 'here',
        [
          seen('$? after dd (128 + SIGKILL is 137)', null, String(oom?.status)),
          seen('echo here', null, output.trim()),
        ],
        oom?.status === 0
          ? `It got all the memory that it wanted. ${NOT_JOINED}`
          : 'It ended in another way than by SIGKILL. Likeliest: it was refused the memory (a resource limit) instead of being killed for using it.',
      )
    },
  },

  throttled: {
    id: 'cpu-throttled',
    claim: 'the endless loop was held back: the kernel counted periods with throttling',
    look({ pid, cpu }) {
      const before = cpu?.throttledBefore ?? NaN
      return finding(
        counter(pid, 'cpuThrottled') > before,
        [risen(pid, 'cpuThrottled', before), seen('periods measured', null, cpu?.periods ?? 'none')],
        `It was never held back. ${NOT_JOINED}`,
      )
    },
  },

  share: {
    id: 'cpu-share',
    claim: 'it used the share of a processor that its quota gives, within a fifth',
    look({ pid, cpu }) {
      const { microseconds, wall } = cpu ?? { microseconds: NaN, wall: NaN }
      const share = shareOf(cpu)
      return finding(
        Math.abs(share / ASKED - 1) <= 0.2,
        [
          seen('quota / period', null, fraction(ASKED)),
          seen(
            `${readCgroup(pid, 'cpuUsage')?.source ?? 'no cgroup counts its time'}, over time`,
            null,
            `${Math.round(microseconds / 1000)} of ${Math.round(wall / 1000)} ms = ${fraction(share)}`,
          ),
        ],
        share < ASKED
          ? 'It got less. Likeliest: this machine is too busy to give it its share, or a cgroup above it has a lower quota.'
          : `It got more, or nothing counted it. ${NOT_JOINED}`,
      )
    },
  },

  pids: {
    id: 'pids-stopped',
    claim: 'the loop stopped at the limit: the next fork was refused',
    look({ forker = 0 }) {
      const row = (what: 'pidsLimit' | 'pidsCurrent' | 'pidsRefused') =>
        seen(readCgroup(forker, what)?.source ?? what, null, counter(forker, what))
      return finding(
        counter(forker, 'pidsCurrent') <= LIMITS.pids && counter(forker, 'pidsRefused') > 0,
        [row('pidsLimit'), row('pidsCurrent'), row('pidsRefused')],
        `No fork was refused. ${NOT_JOINED}`,
      )
    },
  },

  frozen: {
    id: 'frozen',
    claim: 'the kernel called it frozen',
    look({ freezer }) {
      if (!hierarchyOf('freezer')) return notHere('no mounted cgroup hierarchy can freeze')
      const { state } = freezer ?? {}
      return finding(
        state !== undefined && ['FROZEN', '1'].includes(state.value),
        seen(state?.source ?? 'freezer', null, state?.value ?? 'not in a freezer cgroup of its own'),
        freezer
          ? 'Likeliest: FROZEN was written and not waited for; the kernel says FREEZING until the last process has stopped.'
          : `It is in the same freezer cgroup as we are, so it was not tried: we would have stopped ourselves. ${NOT_JOINED}`,
      )
    },
  },

  still: {
    id: 'frozen-still',
    claim: 'frozen, its endless loop used no processor time; thawed, it went on',
    look({ pid, freezer }) {
      if (!hierarchyOf('freezer')) return notHere('no mounted cgroup hierarchy can freeze')
      const { stopped, later, thawed } = freezer ?? { stopped: NaN, later: NaN, thawed: NaN }
      return finding(
        stopped === later && thawed > later,
        seen(
          readCgroup(pid, 'cpuUsage')?.source ?? 'no cgroup counts its time',
          null,
          `${Math.round(stopped)} → ${Math.round(later)} → ${Math.round(thawed)} µs`,
        ),
        stopped < later
          ? 'It went on while it was to be frozen. Likeliest: one process was frozen (SIGSTOP, or its pid alone moved to a freezer), and not the whole cgroup.'
          : `It did not go on after that. Likeliest: the cgroup was never thawed. Or nothing was measured: ${NOT_JOINED}`,
      )
    },
  },
} satisfies Record<string, Check<Measured>>

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
