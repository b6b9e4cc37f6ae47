import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unlessGone } from '../kernel/process/procfs.ts'
import type { State } from './state.ts'

type Folder = { version: number; path: string } | undefined
type Numbers = Record<string, number>

/** What a container uses, as runc's events.go writes it; engines that do not read the cgroups themselves know that. */
export function stats({ cgroups }: State) {
  const folder = (name: string): Folder =>
    cgroups.find(({ version, controllers }) => version === 1 && controllers.includes(name)) ??
    cgroups.find(({ version }) => version === 2)
  return {
    cpu: cpu(folder('cpuacct'), folder('cpu')),
    memory: memory(folder('memory')),
    pids: pids(folder('pids')),
    blkio: blkio(folder('blkio')),
    hugetlb: {},
    intel_rdt: {},
    network_interfaces: null,
  }
}

const text = (at: Folder, file: string) =>
  (at && unlessGone(() => readFileSync(join(at.path, file), 'utf8'))) ?? ''

/** The number in a file; `max` is none, and so is a file that is not there. */
function number(at: Folder, file: string): number | undefined {
  const word = text(at, file).trim()
  return /^\d+$/.test(word) ? Number(word) : undefined
}

/** A file of lines with a name and a number. */
const table = (at: Folder, file: string): Numbers =>
  Object.fromEntries(
    text(at, file)
      .split('\n')
      .map(line => line.split(' '))
      .flatMap(([name = '', value]) => (value === undefined ? [] : [[name, Number(value)]])),
  )

const TICK = 1e9 / 100 // cpuacct.stat counts in USER_HZ, which is 100 on x86-64 and arm64

/** In nanoseconds. */
function cpu(usage: Folder, limit: Folder) {
  const stat = table(limit, 'cpu.stat')
  const throttling = {
    periods: stat.nr_periods,
    throttledPeriods: stat.nr_throttled,
    throttledTime: limit?.version === 1 ? stat.throttled_time : (stat.throttled_usec ?? 0) * 1000,
  }
  if (usage?.version === 2) {
    const { usage_usec = 0, system_usec = 0, user_usec = 0 } = stat
    return {
      usage: { total: usage_usec * 1000, kernel: system_usec * 1000, user: user_usec * 1000 },
      throttling,
    }
  }
  const { user = 0, system = 0 } = table(usage, 'cpuacct.stat')
  const percpu = (file: string) => (text(usage, file).match(/\d+/g) ?? []).map(Number)
  return {
    usage: {
      total: number(usage, 'cpuacct.usage'),
      percpu: percpu('cpuacct.usage_percpu'),
      percpu_kernel: percpu('cpuacct.usage_percpu_sys'),
      percpu_user: percpu('cpuacct.usage_percpu_user'),
      kernel: system * TICK,
      user: user * TICK,
    },
    throttling,
  }
}

/** In bytes. Without a limit there is no number of it on v2, and a very large one on v1. */
function memory(at: Folder) {
  const raw = table(at, 'memory.stat')
  if (at?.version === 2) {
    const entry = (name: string) => ({
      limit: number(at, `${name}.max`),
      usage: number(at, `${name}.current`),
      max: number(at, `${name}.peak`),
      failcnt: table(at, `${name}.events`).max ?? 0,
    })
    return {
      cache: raw.file,
      usage: entry('memory'),
      swap: entry('memory.swap'),
      kernel: {},
      kernelTCP: {},
      raw,
    }
  }
  const entry = (name: string) => ({
    limit: number(at, `${name}.limit_in_bytes`),
    usage: number(at, `${name}.usage_in_bytes`),
    max: number(at, `${name}.max_usage_in_bytes`),
    failcnt: number(at, `${name}.failcnt`),
  })
  return {
    cache: raw.cache,
    usage: entry('memory'),
    swap: entry('memory.memsw'),
    kernel: entry('memory.kmem'),
    kernelTCP: entry('memory.kmem.tcp'),
    raw,
  }
}

const pids = (at: Folder) => ({ current: number(at, 'pids.current'), limit: number(at, 'pids.max') })

/** By disk and kind of access. */
function blkio(at: Folder) {
  if (at?.version !== 2)
    return {
      ioServiceBytesRecursive: entries(text(at, 'blkio.throttle.io_service_bytes_recursive')),
      ioServicedRecursive: entries(text(at, 'blkio.throttle.io_serviced_recursive')),
    }
  const counted = (read: string, write: string) =>
    text(at, 'io.stat')
      .split('\n')
      .flatMap(line =>
        [
          ['Read', read],
          ['Write', write],
        ].flatMap(([op, key]) => {
          const [, major, minor, value] = new RegExp(`^(\\d+):(\\d+) .*\\b${key}=(\\d+)`).exec(line) ?? []
          return major ? [{ major: Number(major), minor: Number(minor), op, value: Number(value) }] : []
        }),
      )
  return {
    ioServiceBytesRecursive: counted('rbytes', 'wbytes'),
    ioServicedRecursive: counted('rios', 'wios'),
  }
}

const entries = (lines: string) =>
  [...lines.matchAll(/^(\d+):(\d+) (\w+) (\d+)$/gm)].map(([, major, minor, op, value]) => ({
    major: Number(major),
    minor: Number(minor),
    op,
    value: Number(value),
  }))
