import { codeOf } from '../common/error-code.ts'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cgroupMode, type Hierarchy, hierarchies, hierarchyOf, readings } from '../kernel/cgroup/cgroupfs.ts'
import { isGone } from '../kernel/process/procfs.ts'
import { belongsTo, flat } from './processes.ts'
import { isReadable, type Readable, reading } from './readable.ts'
import type { CgroupView, Count, Limit, Processes } from './snapshot-shape.ts'

/** What is read beside that which the checks ask for; the units are those of v1 and v2. */
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

const NO_LIMIT = 2 ** 62 // v1 says "none" by the largest number of whole pages: mm/page_counter.c

/** The cgroup of a process: limits and use, on v1, v2 and both. Throws ENOENT or ESRCH where the process has ended. */
export function cgroupOf(pid: number, { roots }: Processes): CgroupView {
  const found = hierarchies(pid)
  const container = new Set(flat(roots).map(process => process.pid))
  const text = (what: keyof typeof FILES) => read(found, what)
  const nanoseconds = (what: keyof typeof FILES, controller: string) =>
    hierarchyOf(controller, found)?.version === 1 ? scaled(text(what), 1 / 1000) : scaled(text(what))
  const place = (controller: string) => {
    const path = hierarchyOf(controller, found)?.own ?? null
    return { path, others: path === null ? null : othersIn(path, container) }
  }
  return {
    mode: cgroupMode(found),
    folders: found.map(({ version, controllers, own }) => ({ version, controllers, path: own })),
    memory: {
      ...place('memory'),
      current: scaled(text('memoryCurrent')),
      peak: scaled(text('memoryPeak')),
      limit: limit(text('memoryLimit')),
      oomKills: scaled(text('oomKills')),
    },
    cpu: {
      ...place('cpu'),
      quota: limit(text('cpuQuota')),
      period: period(text('cpuPeriod')),
      used: nanoseconds('cpuUsage', 'cpuacct'),
      periods: scaled(text('cpuPeriods')),
      throttled: scaled(text('cpuThrottled')),
      throttledTime: nanoseconds('throttledTime', 'cpu'),
    },
    pids: {
      ...place('pids'),
      current: scaled(text('pidsCurrent')),
      peak: scaled(text('pidsPeak')),
      limit: limit(text('pidsLimit')),
      refused: scaled(text('pidsRefused')),
    },
    frozen: frozen(text('frozen')),
  }
}

/** The text of a control file, or of the line in it that begins with a key; null where there is no such file or line. */
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

/** A control file's text; null where there is none: the root of a hierarchy has no limits. */
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

/** Of `cpu.max` the first word. */
const limit = (text: Readable<string | null>): Limit =>
  on(text, t => {
    const [word = ''] = t.split(' ')
    return word === 'max' || word === '-1' || Number(word) >= NO_LIMIT ? 'max' : Number(word)
  })

/** Of `cpu.max` the second word. */
const period = (text: Readable<string | null>): Count => on(text, t => Number(t.split(' ').at(-1)))

/** While it still says FREEZING, some of its processes run. */
const frozen = (text: Readable<string | null>) => on(text, t => t === 'FROZEN' || t === '1')

/** How many processes of a cgroup are not the container's. */
function othersIn(path: string, container: Set<number>): Count {
  return on(content(join(path, 'cgroup.procs')), text => {
    const members = text.split('\n').filter(Boolean)
    return members.filter(pid => !belongsTo(container, Number(pid))).length
  })
}
