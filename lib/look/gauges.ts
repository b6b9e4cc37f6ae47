import type { CgroupView, Count, Limit } from './snapshot-shape.ts'
import { bytes, duration, plural, shown } from './phrases.ts'

/** One gauge of the cgroup: the texts above, in and below its bar. */
export interface Gauge {
  /** the first words of its data-keys, `cgroup.memory`, and the last words of those of `used` and `limit` */
  key: string
  names: { used: string; limit: string }
  title: string
  /** what is used, in large type; never a limit */
  used: string
  /** `limit 64 MiB`, `no limit`; never an amount that is used */
  limit: string
  /** 0 to 1; null if there is no limit to compare with */
  fill: number | null
  /** the position of the highest value, 0 to 1; the note `peak` gives the value */
  mark: number | null
  tone: Tone
  notes: Note[]
}

/** A small text below a gauge; `key` is the last word of its data-key. */
export interface Note {
  key: string
  text: string
  tone: Tone
}

/** `held`: a limit slowed it down; `alarm`: something was refused or killed. */
export type Tone = 'well' | 'held' | 'alarm'

/** Memory, CPU and processes as gauges. */
export function gauges({ memory, cpu, pids }: CgroupView): Gauge[] {
  const oom = positive(memory.oomKills) ? 'alarm' : 'well'
  const refused = positive(pids.refused) ? 'alarm' : 'well'
  const throttled = fraction(cpu.throttled, cpu.periods)
  const held = throttled ? 'held' : 'well'
  const note = (key: string, text: string, tone: Tone = 'well') => ({ key, text, tone })
  return [
    {
      key: 'cgroup.memory',
      names: { used: 'current', limit: 'limit' },
      title: 'memory',
      used: shown(memory.current, bytes),
      limit: limitWords(memory.limit, bytes),
      fill: fraction(memory.current, memory.limit),
      mark: fraction(memory.peak, memory.limit),
      tone: oom,
      notes: [
        note('peak', `peak ${shown(memory.peak, bytes)}`),
        note('oomKills', `OOM kills ${shown(memory.oomKills)}`, oom),
        ...common(memory.others, memory.current),
      ],
    },
    {
      key: 'cgroup.cpu',
      names: { used: 'used', limit: 'quota' },
      title: 'cpu',
      used: shown(cpu.used, duration),
      limit: limitWords(cpu.quota, quota => cpus(quota, cpu.period)),
      fill: typeof cpu.quota === 'number' ? throttled : null,
      mark: null,
      tone: held,
      notes: [
        ...(typeof cpu.quota === 'number'
          ? [
              note('throttled', throttledWords(cpu), held),
              note('period', `${duration(cpu.quota)} in each ${shown(cpu.period, duration)}`),
            ]
          : []),
        ...common(cpu.others, cpu.used),
      ],
    },
    {
      key: 'cgroup.pids',
      names: { used: 'current', limit: 'limit' },
      title: 'pids',
      used: shown(pids.current),
      limit: limitWords(pids.limit, String),
      fill: fraction(pids.current, pids.limit),
      mark: fraction(pids.peak, pids.limit),
      tone: refused,
      notes: [
        ...(pids.peak === null ? [] : [note('peak', `peak ${shown(pids.peak)}`)]),
        note('refused', `forks refused ${shown(pids.refused)}`, refused),
        ...common(pids.others, pids.current),
      ],
    },
  ]
}

const positive = (value: Count) => typeof value === 'number' && value > 0

const limitWords = (limit: Limit, as: (count: number) => string) =>
  typeof limit === 'number' ? `limit ${as(limit)}` : limit === 'max' ? 'no limit' : ''

/** How many CPUs a quota is: `0.2 CPUs`. */
function cpus(quota: number, period: Count): string {
  const fraction = typeof period === 'number' && period > 0 ? quota / period : 0
  return `${Number(fraction.toFixed(2))} CPU${fraction === 1 ? '' : 's'}`
}

function throttledWords({ throttled, periods, throttledTime }: CgroupView['cpu']): string {
  if (typeof throttled !== 'number' || typeof periods !== 'number') return `held back ${shown(throttled)}`
  if (throttled === 0) return `held back in none of ${periods} periods`
  return `held back in ${throttled} of ${periods} periods, ${shown(throttledTime, duration)}`
}

/** A note that a cgroup's numbers include other processes. */
function common(others: Count, number: Count): Note[] {
  if (!positive(others) || number === null) return []
  const text = `shared: the numbers include ${plural(others as number, 'other process', 'other processes')}`
  return [{ key: 'others', text, tone: 'held' }]
}

/** The used part of a limit, 0 to 1; null if there is no limit or no number. */
function fraction(value: Count | Limit, limit: Count | Limit): number | null {
  return typeof value !== 'number' || typeof limit !== 'number'
    ? null
    : limit > 0
      ? Math.min(1, value / limit)
      : 0
}
