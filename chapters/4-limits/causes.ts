import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { listFile, readCgroup } from '../../lib/kernel/cgroup/cgroupfs.ts'
import type { Stopped } from './experiments.ts'
import { bandwidth, counter, isApart, isFrozen, LIMITS } from './readings.ts'

// Why nothing held a process back, as far as the kernel shows it.

export const NOT_JOINED =
  'It is in the same cgroup as we are. It never joined one of its own: its pid was not written to the cgroup.procs there, and what limits may have been written do not concern it.'

const NOT_ASKED = 'Nobody has told that cgroup to freeze.'
const NOT_AWAITED =
  'It was told to freeze, and that was not waited for: a process that is throttled, or deep in the kernel, stops only when it gets on.'

/** Why the kernel had not frozen it: by what it was told before, and later. */
export function notFrozen({ asked, after }: Stopped): string {
  if (asked?.value !== '0') return NOT_AWAITED
  if (!isFrozen(after) && after?.value !== 'FREEZING') return NOT_ASKED
  const [on, off] = after?.version === 1 ? ['FROZEN', 'THAWED'] : ['1', '0']
  return `${off} was written when frozen is true, and ${on} when it is false: the two are exchanged.`
}

/** What a SIGSTOP does, in place of the freezer. */
export function stoppedBySignal({ stopped, later }: Stopped): string {
  return stopped < later
    ? 'SIGSTOP was sent to its first process: that one is stopped (T), and what it has started runs on. Nobody has frozen the cgroup.'
    : 'SIGSTOP was sent to its processes (T): whoever is forked meanwhile is not stopped, and any of them can be sent SIGCONT. Nobody has frozen the cgroup.'
}

/** What can be limited here: the file that says so, and what is often done in place of it. */
const LIMITED = {
  memory: {
    reading: 'memoryLimit',
    instead: (pid: number) =>
      softLimit(pid) ||
      (resourceLimit(pid, 'Max address space') &&
        'Its cgroup has no memory limit; RLIMIT_AS was set instead. A resource limit counts addresses, for each process by itself, and lets a call fail in place of ending the program.'),
  },
  cpu: {
    reading: 'cpuQuota',
    instead: (pid: number) =>
      weight(pid) ||
      (getPriority(pid) > getPriority() &&
        `Its cgroup has no quota; it was made nice instead (nice ${getPriority(pid)}). That gives way to others, and limits nothing while nobody else wants the processor.`),
  },
  pids: {
    reading: 'pidsLimit',
    instead: (pid: number) =>
      resourceLimit(pid, 'Max processes') &&
      'Its cgroup has no limit of processes; RLIMIT_NPROC was set instead. That one counts all processes of a user, wherever they run, and does not hold for root.',
  },
} as const

type Limited = keyof typeof LIMITED

/** What a file beside the one of a limit says, where that is not the kernel's default; undefined where there is none. */
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

/** A share of the processor in place of a quota. */
function weight(pid: number): string | undefined {
  const [file, value] = beside(pid, 'cpu', { 'cpu.shares': '1024', 'cpu.weight': '100' }) ?? []
  return (
    file &&
    `Its cgroup has no quota; ${file} is ${value}. That is a weight: it counts only while others want the processor, and is no ceiling.`
  )
}

/** A limit that the kernel keeps to only when memory is short, or by slowing down. */
function softLimit(pid: number): string | undefined {
  const soft = {
    'memory.soft_limit_in_bytes': '9223372036854771712',
    'memory.high': 'max',
    'memory.low': '0',
  }
  const [file, value] = beside(pid, 'memory', soft) ?? []
  return (
    file &&
    `Its cgroup has no limit of memory; ${file} is ${value}. That one ends no program: the kernel takes memory back when it is short, or slows the program down.`
  )
}

/** Why the cgroup of a process has no limit of this kind. */
export function unlimited(pid: number, what: Limited): string {
  if (!isApart(pid, what)) return NOT_JOINED
  return (
    LIMITED[what].instead(pid) ||
    elsewhere(pid, what) ||
    `It joined a cgroup of its own, but no limit was written to ${basename(readCgroup(pid, LIMITED[what].reading)?.file ?? what)} in there.`
  )
}

/** What is wrong with a limit of memory. */
export function otherMemoryLimit(pid: number): string {
  const limit = counter(pid, 'memoryLimit')
  const isNone = !(limit < UNLIMITED)
  return isNone || !isApart(pid, 'memory')
    ? unlimited(pid, 'memory')
    : `The limit is ${limit} bytes, and ${LIMITS.memory} were asked for.`
}

/** What is wrong with the limit of swap. */
export function otherSwapLimit(pid: number): string {
  if (counter(pid, 'memoryLimit') !== LIMITS.memory) return unlimited(pid, 'memory')
  const { value, version } = readCgroup(pid, 'swapLimit') ?? {}
  if (!(Number(value) < UNLIMITED))
    return 'Memory is limited, swap is not: on a machine that has swap, what does not fit goes there instead of ending the program.'
  return version === 1
    ? `The limit of memory and swap together is ${value} bytes, and ${LIMITS.memory} were asked for: the number in the specification counts memory and swap together already.`
    : `The limit of swap is ${value} bytes, and none was asked for: the number in the specification counts memory and swap together already, and memory is to be subtracted.`
}

const UNLIMITED = 2 ** 62 // bytes; v1 says more than that for none, v2 `max`

/** Where it joined a cgroup of its own in some of v1's hierarchies, and not in others. */
export function partlyJoined(own: readonly string[], ours: readonly string[]): string {
  return `It has a cgroup of its own for ${own.join(', ')}, and is still in ours for ${ours.join(', ')}. On cgroup v1 each hierarchy has its own directories: the pid is written to the cgroup.procs of each.`
}

/** What is wrong with a quota. */
export function otherBandwidth(pid: number): string {
  const { quota, period } = bandwidth(pid)
  if (!(quota > 0) || !isApart(pid, 'cpu')) return unlimited(pid, 'cpu')
  const given = `${quota} of every ${period} µs are ${fraction(quota / period)} of a processor.`
  return quota === LIMITS.cpu.quota
    ? `The quota is as asked, the period is not: ${given}`
    : `Another quota was written: ${given}`
}

/** What is wrong with a limit of processes. */
export function otherPidsLimit(pid: number): string {
  const limit = counter(pid, 'pidsLimit')
  if (!(limit > 0) || !isApart(pid, 'pids')) return unlimited(pid, 'pids')
  if (limit === LIMITS.pids) return 'The limit is there. Likeliest: the loop did not come that far.'
  if (Math.abs(limit - LIMITS.pids) === 1)
    return `The limit is ${limit}, one ${limit > LIMITS.pids ? 'more' : 'less'} than asked: the container’s first process counts like any other, and the number includes it.`
  return `The limit is ${limit}, not ${LIMITS.pids}.`
}

export const fraction = (share: number) => `${(100 * share).toFixed(1)} %`

/** A cgroup beside its own, made for the same container, that has another limit and holds nobody. */
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
    `The limits were written to another cgroup (${other}, in which there is no process) than the one that it joined (${basename(folder)}).`
  )
}

/** Whether a soft resource limit of a process, by its name in /proc/<pid>/limits, is another than ours. */
function resourceLimit(pid: number, name: string): boolean {
  const [its, ours] = [pid, 'self'].map(who =>
    readFileSync(`/proc/${who}/limits`, 'utf8')
      .split('\n')
      .find(line => line.startsWith(name)),
  )
  return its !== ours
}
