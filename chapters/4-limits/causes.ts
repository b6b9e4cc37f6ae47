import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { listFile, readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import type { Stopped } from './experiments.ts'
import { bandwidth, counter, isApart, isFrozen, LIMITS } from './readings.ts'

// Why nothing held a process back, as far as the kernel shows it.

export const NOT_JOINED =
  'It is still in our cgroup. It never joined its own: its pid was not written to the cgroup.procs there, so any limits there do not apply to it.'

const NOT_ASKED = 'The cgroup was never told to freeze.'
const NOT_AWAITED =
  'It was told to freeze, but this was not waited for: a process that is throttled, or deep in the kernel, stops only when it runs again.'

/** Why the kernel had not frozen it: by what it was told before the check, and after. */
export function notFrozen({ asked, after }: Stopped): string {
  if (asked?.value !== '0') return NOT_AWAITED
  if (!isFrozen(after) && after?.value !== 'FREEZING') return NOT_ASKED
  const [on, off] = after?.version === 1 ? ['FROZEN', 'THAWED'] : ['1', '0']
  return `${off} was written when frozen is true, and ${on} when it is false: the two are swapped.`
}

/** What a SIGSTOP does instead of the freezer. */
export function stoppedBySignal({ stopped, later }: Stopped): string {
  return stopped < later
    ? 'SIGSTOP was sent to its first process: it is stopped (T), but the processes that it started run on. The cgroup was not frozen.'
    : 'SIGSTOP was sent to its processes (T): a process forked while they are sent is not stopped, and any of them can be sent SIGCONT. The cgroup was not frozen.'
}

/** What can be limited here: the file of the limit, and what is often done instead. */
const LIMITED = {
  memory: {
    reading: 'memoryLimit',
    instead: (pid: number) =>
      softLimit(pid) ||
      (resourceLimit(pid, 'Max address space') &&
        'Its cgroup has no memory limit; RLIMIT_AS was set instead. It limits the address space of each process, and makes a call fail instead of ending the program.'),
  },
  cpu: {
    reading: 'cpuQuota',
    instead: (pid: number) =>
      weight(pid) ||
      (getPriority(pid) > getPriority() &&
        `Its cgroup has no quota; it was made nice instead (nice ${getPriority(pid)}). A nice process yields to others, but has no limit while no other process wants the CPU.`),
  },
  pids: {
    reading: 'pidsLimit',
    instead: (pid: number) =>
      resourceLimit(pid, 'Max processes') &&
      'Its cgroup has no process limit; RLIMIT_NPROC was set instead. It counts the processes of a user and not those of a cgroup, and does not apply to root.',
  },
} as const

type Limited = keyof typeof LIMITED

/** A file beside that of a limit whose value is not the kernel's default, with that value; undefined if there is none. */
function beside(
  pid: number,
  what: Limited,
  files: Record<string, string>,
): [file: string, value: string] | undefined {
  const folder = dirname(readCgroup(pid, LIMITED[what].reading)?.file ?? '')
  const names = Object.keys(files).filter(name => existsSync(join(folder, name)))
  const values = names.map((name): [string, string] => [
    name,
    readFileSync(join(folder, name), 'utf8').trim(),
  ])
  return values.find(([name, value]) => value !== files[name])
}

/** A CPU weight instead of a quota. */
function weight(pid: number): string | undefined {
  const [file, value] = beside(pid, 'cpu', { 'cpu.shares': '1024', 'cpu.weight': '100' }) ?? []
  return (
    file &&
    `Its cgroup has no quota; ${file} is ${value}. That is a weight: it counts only while others want the CPU, and is no upper limit.`
  )
}

/** A limit that the kernel enforces only when memory is short, or by slowing the program down. */
function softLimit(pid: number): string | undefined {
  const soft = {
    'memory.soft_limit_in_bytes': '9223372036854771712',
    'memory.high': 'max',
    'memory.low': '0',
  }
  const [file, value] = beside(pid, 'memory', soft) ?? []
  return (
    file &&
    `Its cgroup has no memory limit; ${file} is ${value}. This ends no program: the kernel reclaims memory when it is short, or slows the program down.`
  )
}

/** Why the cgroup of a process has no limit of this kind. */
export function unlimited(pid: number, what: Limited): string {
  if (!isApart(pid, what)) return NOT_JOINED
  return (
    LIMITED[what].instead(pid) ||
    elsewhere(pid, what) ||
    `It joined its own cgroup, but no limit was written to ${basename(readCgroup(pid, LIMITED[what].reading)?.file ?? what)} there.`
  )
}

/** What is wrong with a limit of memory. */
export function otherMemoryLimit(pid: number): string {
  const limit = counter(pid, 'memoryLimit')
  const isNone = !(limit < UNLIMITED)
  return isNone || !isApart(pid, 'memory')
    ? unlimited(pid, 'memory')
    : `The limit is ${limit} bytes, but ${LIMITS.memory} were asked for.`
}

/** What is wrong with the limit of swap. */
export function otherSwapLimit(pid: number): string {
  if (counter(pid, 'memoryLimit') !== LIMITS.memory) return unlimited(pid, 'memory')
  const { value, version } = readCgroup(pid, 'swapLimit') ?? {}
  if (!(Number(value) < UNLIMITED))
    return 'Memory is limited, swap is not: on a machine that has swap, what does not fit goes there instead of ending the program.'
  return version === 1
    ? `The limit of memory and swap together is ${value} bytes, but ${LIMITS.memory} were asked for: the number in the specification already counts memory and swap together.`
    : `The swap limit is ${value} bytes, but none was asked for: the number in the specification already counts memory and swap together, so subtract memory from it.`
}

const UNLIMITED = 2 ** 62 // bytes; without a limit v1 says more than that, v2 `max`

/** What to say if it joined its own cgroup in only some of v1's hierarchies. */
export function partlyJoined(own: readonly string[], ours: readonly string[]): string {
  return `It has its own cgroup for ${own.join(', ')}, but is still in ours for ${ours.join(', ')}. On cgroup v1 each hierarchy has its own directories: write the pid to the cgroup.procs of each.`
}

/** What is wrong with a quota. */
export function otherBandwidth(pid: number): string {
  const { quota, period } = bandwidth(pid)
  if (!(quota > 0) || !isApart(pid, 'cpu')) return unlimited(pid, 'cpu')
  const given = `${quota} of every ${period} µs are ${fraction(quota / period)} of a CPU.`
  return quota === LIMITS.cpu.quota
    ? `The quota is as asked, the period is not: ${given}`
    : `Another quota was written: ${given}`
}

/** What is wrong with a limit of processes. */
export function otherPidsLimit(pid: number): string {
  const limit = counter(pid, 'pidsLimit')
  if (!(limit > 0) || !isApart(pid, 'pids')) return unlimited(pid, 'pids')
  if (limit === LIMITS.pids) return 'The limit is right. Most likely, the loop did not get that far.'
  if (Math.abs(limit - LIMITS.pids) === 1)
    return `The limit is ${limit}, one ${limit > LIMITS.pids ? 'more' : 'less'} than asked: the container's first process counts like any other, and the number includes it.`
  return `The limit is ${limit}, not ${LIMITS.pids}.`
}

export const fraction = (share: number) => `${(100 * share).toFixed(1)} %`

/** A cgroup beside its own that was made for the same container, has another limit, and holds no process. */
function elsewhere(pid: number, what: Limited): string | undefined {
  const own = readCgroup(pid, LIMITED[what].reading)
  if (!own) return undefined
  const folder = dirname(own.file)
  const parent = dirname(folder)
  const [id = ''] = /^[^-]+-\d+/.exec(basename(folder)) ?? []
  const other = readdirSync(parent).find(name => {
    const file = join(parent, name, basename(own.file))
    return (
      id &&
      name.startsWith(id) &&
      existsSync(file) &&
      readFileSync(file, 'utf8').trimEnd() !== own.value &&
      listFile(join(parent, name, 'cgroup.procs')).length === 0
    )
  })
  return (
    other &&
    `The limits were written to another cgroup (${other}, which has no process) than the one it joined (${basename(folder)}).`
  )
}

/** Whether a soft resource limit of a process, by its name in /proc/<pid>/limits, differs from ours. */
function resourceLimit(pid: number, name: string): boolean {
  const [its, ours] = [pid, 'self'].map(who =>
    readFileSync(`/proc/${who}/limits`, 'utf8')
      .split('\n')
      .find(line => line.startsWith(name)),
  )
  return its !== ours
}
