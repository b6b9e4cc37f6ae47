import { codeOf } from '../common/error-code.ts'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cgroupMode, type Hierarchy, hierarchies, hierarchyOf, readings } from '../kernel/cgroup/cgroupfs.ts'
import { isGone } from '../kernel/process/procfs.ts'
import { belongsTo, flat } from './processes.ts'
import { isReadable, type Readable, reading } from './readable.ts'
import type { CgroupView, Count, Limit, Processes } from './snapshot-shape.ts'

/** What is read besides the values that the checks need; in the units of v1 and v2. */
const FILES = {
  ...readings,
  memoryCurrent: { controller: 'memory', v1: ['memory.usage_in_bytes'], v2: ['memory.current'] },
  /** on v2 since Linux 5.19 */
  memoryPeak: { controller: 'memory', v1: ['memory.max_usage_in_bytes'], v2: ['memory.peak'] },
  /** not on older kernels */
  pidsPeak: { controller: 'pids', v1: ['pids.peak'], v2: ['pids.peak'] },
  /** v1: nanoseconds; v2: microseconds */
  throttledTime: {
    controller: 'cpu',
    v1: ['cpu.stat', 'throttled_time'],
    v2: ['cpu.stat', 'throttled_usec'],
  },
} as const satisfies Record<string, { controller: string; v1: readonly string[]; v2: readonly string[] }>

const NO_LIMIT = 2 ** 62 // without a limit v1 shows the largest number of whole pages: mm/page_counter.c

/** The cgroup of a process: limits and use, on v1, v2 or both. Throws ENOENT or ESRCH if the process has ended. */
export function cgroupOf(pid: number, { roots }: Processes): CgroupView {
  const found = hierarchies(pid)
  const container = new Set(flat(roots).map(process => process.pid))
  const text = (what: keyof typeof FILES) => read(found, what)
  const microseconds = (what: keyof typeof FILES, controller: string) =>
    hierarchyOf(controller, found)?.version === 1 ? scaled(text(what), 1 / 1000) : scaled(text(what))
  const directoryOf = (controller: string) => {
    const path = hierarchyOf(controller, found)?.own ?? null
    return { path, others: path === null ? null : othersIn(path, container) }
  }
  return {
    mode: cgroupMode(found),
    folders: found.map(({ version, controllers, own }) => ({ version, controllers, path: own })),
    memory: {
      ...directoryOf('memory'),
      current: scaled(text('memoryCurrent')),
      peak: scaled(text('memoryPeak')),
      limit: limit(text('memoryLimit')),
      oomKills: scaled(text('oomKills')),
    },
    cpu: {
      ...directoryOf('cpu'),
      quota: limit(text('cpuQuota')),
      period: period(text('cpuPeriod')),
      used: microseconds('cpuUsage', 'cpuacct'),
      periods: scaled(text('cpuPeriods')),
      throttled: scaled(text('cpuThrottled')),
      throttledTime: microseconds('throttledTime', 'cpu'),
    },
    pids: {
      ...directoryOf('pids'),
      current: scaled(text('pidsCurrent')),
      peak: scaled(text('pidsPeak')),
      limit: limit(text('pidsLimit')),
      refused: scaled(text('pidsRefused')),
    },
    frozen: frozen(text('frozen')),
  }
}

/** The text of a control file, or of its line that begins with a key; null if there is no such file or line. */
function read(found: Hierarchy[], what: keyof typeof FILES): Readable<string | null> {
  const { controller, v1, v2 } = FILES[what]
  const hierarchy = hierarchyOf(controller, found)
  if (!hierarchy) return null
  const [name, key] = hierarchy.version === 1 ? v1 : v2
  const path = join(hierarchy.own, name)
  return on(content(path), text => {
    if (!key) return text
    const line = text.split('\n').find(l => l.startsWith(key + ' '))
    return line === undefined ? null : line.slice(key.length + 1)
  })
}

/** A control file's text; null if there is none, as in the root of a hierarchy, which has no limits. */
function content(path: string): Readable<string | null> {
  return reading(path, () => {
    try {
      return readFileSync(path, 'utf8').trimEnd()
    } catch (error) {
      const code = codeOf(error)
      // EOPNOTSUPP: cgroup.procs of a threaded cgroup, cgroups(7)
      if (isGone(error) || code === 'EOPNOTSUPP') return null
      throw error
    }
  })
}

const on = <T>(text: Readable<string | null>, then: (text: string) => T): Readable<T | null> =>
  !isReadable(text) || text === null ? text : then(text)

const scaled = (text: Readable<string | null>, factor = 1): Count =>
  on(text, t => Math.round(Number(t) * factor))

/** A limit; for `cpu.max` the first word. */
const limit = (text: Readable<string | null>): Limit =>
  on(text, t => {
    const [word = ''] = t.split(' ')
    return word === 'max' || word === '-1' || Number(word) >= NO_LIMIT ? 'max' : Number(word)
  })

/** A period; for `cpu.max` the second word. */
const period = (text: Readable<string | null>): Count => on(text, t => Number(t.split(' ').at(-1)))

/** FREEZING does not count: some of its processes still run. */
const frozen = (text: Readable<string | null>) => on(text, t => t === 'FROZEN' || t === '1')

/** How many processes of a cgroup do not belong to the container. */
function othersIn(path: string, container: Set<number>): Count {
  return on(content(join(path, 'cgroup.procs')), text => {
    const members = text.split('\n').filter(Boolean)
    return members.filter(pid => !belongsTo(container, Number(pid))).length
  })
}
