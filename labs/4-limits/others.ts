import type { Measured } from '../../chapters/4-limits/experiments.ts'
import { bandwidth } from '../../chapters/4-limits/readings.ts'
import type { ResourcesSpec } from '../../lib/container/spec.ts'
import { finding, notHere, seen } from '../../lib/guide/evidence.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import { inWords, type Refusal, refusalOf } from '../../lib/guide/refusal.ts'
import type { Finding, Stage } from '../../lib/guide/step.ts'
import { type readings, readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import { THREW } from '../../lib/labs/learners-code.ts'
import { type Asked, whyOther } from './other-causes.ts'

const random = (from: number, to: number) => from + Math.floor(Math.random() * (to - from))

/** Limits that no other container has. */
const makeLimits = () => ({
  // bytes: whole pages, even of 64 KiB, but never whole MiB
  memory: (16 * random(40, 60) + 1) * 2 ** 16,
  swap: (16 * random(70, 90) + 1) * 2 ** 16, // of both together
  pids: random(40, 90),
  fewPids: random(5, 15), // fewer than the step's own container may have
  quota: random(30, 90) * 1000, // microseconds
  period: random(100, 200) * 1000,
})
type Limits = ReturnType<typeof makeLimits>

type Limited = 'memory' | 'cpu' | 'pids'

/** Another container: what it asks for, what its files must then contain, and what its specification omits from each limit. */
interface Other {
  asks: string
  resources(limits: Limits): ResourcesSpec
  wanted(limits: Limits): Partial<Record<Limited, string>>
  lacks: Partial<Record<Limited, string>>
}

const NO_QUOTA = 'no quota'
const NO_LIMIT = 'no limit'
const UNLIMITED = 2 ** 62 // without a limit v1 says more than that, v2 `max`
const DEFAULT_PERIOD = 100_000 // microseconds: the kernel's own

const OTHERS: Other[] = [
  {
    asks: 'memory and pids',
    resources: ({ memory, pids }) => ({ memory: { limit: memory }, pids: { limit: pids } }),
    wanted: ({ memory, pids }) => ({ memory: String(memory), pids: String(pids), cpu: NO_QUOTA }),
    lacks: { cpu: 'cpu', memory: 'swap' },
  },
  {
    asks: 'cpu',
    resources: ({ quota, period }) => ({ cpu: { quota, period } }),
    wanted: ({ quota, period }) => ({ cpu: `${quota} ${period}`, memory: NO_LIMIT, pids: NO_LIMIT }),
    lacks: { pids: 'pids', memory: 'memory' },
  },
  {
    asks: 'cpu shares, and memory with swap',
    resources: ({ memory, swap }) => ({ cpu: { shares: 512 }, memory: { limit: memory, swap } }),
    wanted: ({ memory, swap }) => ({ cpu: NO_QUOTA, memory: `${memory}, with swap ${swap}`, pids: NO_LIMIT }),
    lacks: { cpu: 'quota', pids: 'pids' },
  },
  {
    asks: 'pids',
    resources: ({ fewPids }) => ({ pids: { limit: fewPids } }),
    wanted: ({ fewPids }) => ({ pids: String(fewPids), cpu: NO_QUOTA, memory: NO_LIMIT }),
    lacks: { memory: 'memory', cpu: 'cpu' },
  },
  {
    asks: 'a quota of cpu',
    resources: ({ quota }) => ({ cpu: { quota } }),
    wanted: ({ quota }) => ({ cpu: `${quota} ${DEFAULT_PERIOD}`, memory: NO_LIMIT, pids: NO_LIMIT }),
    lacks: { cpu: 'period', pids: 'pids', memory: 'memory' },
  },
]

/** What became of one of them: what its files hold, or why it was not made, and which limit that is about. */
interface Made {
  other: Other
  values: Partial<Record<Limited, string>>
  /** of its cgroup, with a quota or without one */
  period?: number
  refusal?: { words: string; about: Limited }
}

async function make(experiment: Experiment<Measured>, other: Other, limits: Limits): Promise<Made> {
  try {
    const { pid } = await experiment.another(`a container that has a limit of ${other.asks} only`, {
      change: ({ spec }) => void (spec.linux.resources = other.resources(limits)),
    })
    const value = (what: keyof typeof readings) => {
      const { value = 'max' } = readCgroup(pid, what) ?? {}
      return value === 'max' || Number(value) > UNLIMITED ? NO_LIMIT : value
    }
    const memory = value('memoryLimit') + swapOf(pid, other.resources(limits), value('memoryLimit'))
    const { quota, period } = bandwidth(pid)
    const cpu = quota > 0 ? `${quota} ${period}` : NO_QUOTA
    return { other, values: { memory, pids: value('pidsLimit'), cpu }, period }
  } catch (error) {
    const refusal = refusalOf(error)
    if (!refusal) throw error
    return { other, values: {}, refusal: { words: withLine(refusal), about: about(refusal, other) } }
  }
}

/** What was refused, and in which line of the learner's code. */
const withLine = (refusal: Refusal) =>
  refusal.at ? `${inWords(refusal)} (line ${refusal.at.line})` : inWords(refusal)

/** The limit of memory and swap together: v2 limits swap by itself. A kernel may not account for swap. */
function swapOf(pid: number, { memory }: ResourcesSpec, limit: string): string {
  const { value, version } = readCgroup(pid, 'swapLimit') ?? {
    value: String(memory?.swap ?? 'max'),
    version: 1,
  }
  if (value === 'max' || Number(value) > UNLIMITED) return ''
  return `, with swap ${version === 2 ? Number(value) + Number(limit) : value}`
}

const WORDS: [Limited, RegExp][] = [
  ['memory', /\bmemory|memsw|swap/],
  ['cpu', /\bcpu|quota|period/],
  ['pids', /\bpids/],
]

/** Which limit a refusal is about: by the file that was written, the property that was read, or the line; else by what is lacking. */
function about({ message, at }: Refusal, { lacks }: Other): Limited {
  const [, file = ''] = /\/([\w.]+)"/.exec(message) ?? []
  const words = [file, message, at?.text ?? ''].find(text => WORDS.some(([, pattern]) => pattern.test(text)))
  const [found] = WORDS.find(([, pattern]) => pattern.test(words ?? '')) ?? []
  return found ?? (Object.keys(lacks)[0] as Limited)
}

/** Why a container was not made, for the limit that is to blame. */
function notMade({ asks, lacks }: Other, what: Limited, words: string): string {
  const refused = words.replace(/\.$/, '')
  // a missing number is read as undefined, and becomes NaN in a calculation
  return lacks[what] !== undefined && (/undefined|NaN|null/.test(words) || words.includes(THREW))
    ? `A container whose specification has no ${lacks[what]} was not made. ${refused}. What is not in the specification is not limited.`
    : `Another container, with a limit of ${asks} only, was not made. ${refused}.`
}

/** The quota that a container asks for, beside the period that its cgroup has. */
function quotaOf({ cpu: { quota, period } = {} }: ResourcesSpec, found = NaN): Asked['cpu'] {
  if (quota === undefined) return undefined
  return { quota, period: period ?? DEFAULT_PERIOD, isPeriodGiven: period !== undefined, found }
}

/** More containers, with different numbers each time. Each leaves out what another one has. */
export function otherLimitsStage(): Stage<Measured> {
  const limits = makeLimits()
  let made: Made[] = []
  const look = (what: Limited): Finding => {
    for (const { other, refusal } of made)
      if (refusal?.about === what) return finding(false, [], notMade(other, what, refusal.words))
    const rows = made.flatMap(({ other, values, period }) => {
      const [wanted, value] = [other.wanted(limits)[what], values[what]]
      if (wanted === undefined || value === undefined) return []
      const cpu = what === 'cpu' ? quotaOf(other.resources(limits), period) : undefined
      return [{ wanted, value, ...(cpu && { cpu }) }]
    })
    if (rows.length === 0) return notHere('the other container was not made')
    const wrong = rows.find(({ wanted, value }) => wanted !== value)
    return finding(
      wrong === undefined,
      rows.map(({ value }) => seen(`the limit of ${what} of another container`, null, value)),
      wrong && whyOther(wrong),
    )
  }
  return {
    title: 'Other limits, and none',
    async act(experiment) {
      if (experiment.whyNoLimits)
        experiment.limit(experiment.whyNoLimits.reason, experiment.whyNoLimits.remedy)
      made = []
      for (const other of OTHERS) made.push(await make(experiment, other, limits))
    },
    checks: [
      {
        id: 'other-memory',
        claim: 'another container has the limit of memory that it asks for; one that asks for none has none',
        look: () => look('memory'),
      },
      {
        id: 'other-cpu',
        claim: 'another container has the quota that it asks for; one that asks for none has none',
        look: () => look('cpu'),
      },
      {
        id: 'other-pids',
        claim:
          'another container has the limit of processes that it asks for; one that asks for none has none',
        look: () => look('pids'),
      },
    ],
  }
}
