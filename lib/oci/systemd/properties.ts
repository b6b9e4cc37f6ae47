import { MinilabError } from '../../common/errors.ts'
import { weight } from '../../container/parts/limits.ts'
import type { ResourcesSpec } from '../../container/spec.ts'

/** A property of a unit, as busctl(1) takes it: its name, the type of its value as D-Bus writes types, and the words of the value. */
export type Property = [name: string, type: string, ...value: string[]]
type Value = [type: string, ...value: string[]] | undefined

const INFINITY = String(2n ** 64n - 1n)
const PERIOD = 100_000 // µs: the kernel's default, kernel/sched/core.c

const amount = (value: number | undefined): Value =>
  value ? ['t', value < 0 ? INFINITY : String(value)] : undefined

/**
 * The limits that systemd is told of, so that it does not undo them when it writes its own view of the unit again (systemctl
 * daemon-reload): systemd.resource-control(5), and for v1's names systemd 239's. The same as runc: opencontainers/cgroups, systemd/v1.go, v2.go.
 */
const LIMITS: [name: string, versions: (1 | 2)[], value: (resources: ResourcesSpec) => Value][] = [
  ['MemoryMax', [2], r => amount(r.memory?.limit)],
  ['MemoryLow', [2], r => amount(r.memory?.reservation)],
  ['MemorySwapMax', [2], r => swap(r)],
  ['MemoryLimit', [1], r => amount(r.memory?.limit)],
  ['CPUWeight', [2], r => (r.cpu?.shares ? ['t', String(weight(r.cpu.shares))] : undefined)],
  ['CPUShares', [1], r => amount(r.cpu?.shares)],
  ['CPUQuotaPeriodUSec', [1, 2], r => amount(r.cpu?.period)],
  ['CPUQuotaPerSecUSec', [1, 2], r => quota(r.cpu?.quota, r.cpu?.period)],
  ['TasksMax', [1, 2], r => amount(r.pids?.limit)],
  ['AllowedCPUs', [2], r => list(r.cpu?.cpus)],
  ['AllowedMemoryNodes', [2], r => list(r.cpu?.mems)],
  ['BlockIOWeight', [1], r => amount(r.blockIO?.weight)],
]

/** linux.resources.unified: the files that systemd has a property for. The others are written to the cgroup alone. */
const UNIFIED: Record<string, (value: string) => Property[]> = {
  'memory.min': value => [['MemoryMin', 't', orMax(value)]],
  'memory.low': value => [['MemoryLow', 't', orMax(value)]],
  'memory.high': value => [['MemoryHigh', 't', orMax(value)]],
  'memory.max': value => [['MemoryMax', 't', orMax(value)]],
  'memory.swap.max': value => [['MemorySwapMax', 't', orMax(value)]],
  'pids.max': value => [['TasksMax', 't', orMax(value)]],
  'cpu.weight': value => [['CPUWeight', 't', value]],
  'cpuset.cpus': value => named('AllowedCPUs', list(value)),
  'cpuset.mems': value => named('AllowedMemoryNodes', list(value)),
  'cpu.max'(value) {
    const [most = 'max', period = String(PERIOD)] = value.split(/\s+/)
    return [
      ['CPUQuotaPeriodUSec', 't', period],
      ...named('CPUQuotaPerSecUSec', quota(most === 'max' ? -1 : Number(most), Number(period))),
    ]
  },
}

/** The properties for the limits of a unit, on a version of cgroups. */
export function propertiesFor(resources: ResourcesSpec, version: 1 | 2): Property[] {
  return [
    ...LIMITS.flatMap(([name, versions, value]) =>
      versions.includes(version) ? named(name, value(resources)) : [],
    ),
    ...Object.entries(resources.unified ?? {}).flatMap(
      ([file, value]) => UNIFIED[file]?.(value.trim()) ?? [],
    ),
  ]
}

const named = (name: string, value: Value): Property[] => (value ? [[name, ...value]] : [])
const orMax = (value: string) => (value === 'max' ? INFINITY : value)

/** v2 counts swap alone, config.json memory and swap together. */
function swap({ memory: { limit = 0, swap = 0 } = {} }: ResourcesSpec): Value {
  if (swap === 0) return undefined
  return ['t', swap < 0 ? INFINITY : String(swap - limit)]
}

/** The time for each second, in µs. systemd keeps whole percents: rounded up, so that the cgroup's own, exact quota decides. */
function quota(most = 0, period = 0): Value {
  if (!most && !period) return undefined
  if (most <= 0) return ['t', INFINITY]
  return ['t', String(Math.ceil((most * 100) / (period || PERIOD)) * 10_000)]
}

/** `0-1,3` as bits, the first byte for 0 to 7. */
function list(text = ''): Value {
  const bytes: number[] = []
  for (const range of text.split(',').filter(part => part.trim())) {
    const [, from = '', to = from] = /^\s*(\d{1,5})(?:-(\d{1,5}))?\s*$/.exec(range) ?? []
    if (from === '' || Number(to) < Number(from))
      throw new MinilabError('usage', `linux.resources.cpu: ${JSON.stringify(text)} is no list`, 'as 0-1,3')
    for (let bit = Number(from); bit <= Number(to); bit++)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (1 << (bit & 7))
  }
  const all = Array.from(bytes, byte => String(byte ?? 0))
  return all.length ? ['ay', String(all.length), ...all] : undefined
}

const PREFIX = 'org.systemd.property.'
/** The forms of a value in GVariant's text that engines use: docs.gtk.org/glib/gvariant-text.html. */
const FORMS: [type: string, form: RegExp][] = [
  ['s', /^'([^'\\]*)'$/],
  ['s', /^"([^"\\]*)"$/],
  ['b', /^(true|false)$/],
  ['t', /^uint64 (\d+)$/],
  ['u', /^uint32 (\d+)$/],
  ['i', /^(-?\d+)$/],
]

/** The annotations that ask for a property of the unit. As with runc, what ends in Sec counts seconds: D-Bus has it in µs. */
export function propertiesOf(annotations: Record<string, string> = {}): Property[] {
  return Object.entries(annotations).flatMap(([key, text]): Property[] => {
    if (!key.startsWith(PREFIX)) return []
    const name = key.slice(PREFIX.length)
    const [type, value] = FORMS.flatMap(([type, form]) => {
      const [, word] = form.exec(text.trim()) ?? []
      return word === undefined ? [] : [type, word]
    })
    if (!/^[A-Za-z]{3,}$/.test(name) || type === undefined || value === undefined)
      throw new MinilabError(
        'usage',
        `annotation ${key}=${text} is no property that we can set`,
        "give text in '', true, false, a number, or uint64 and a number",
      )
    if (!name.endsWith('Sec') || name.endsWith('USec')) return [[name, type, value]]
    if (!'itu'.includes(type)) throw new MinilabError('usage', `annotation ${key}=${text} is no number`, '')
    return [[name.replace(/Sec$/, 'USec'), 't', String(BigInt(value) * 1_000_000n)]]
  })
}
