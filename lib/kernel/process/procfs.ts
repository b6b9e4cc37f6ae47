import { codeOf } from '../../common/error-code.ts'
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { constants } from 'node:os'

/** The eight kinds of namespaces, by their names under /proc/<pid>/ns: namespaces(7). */
export const NAMESPACES = ['user', 'pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup', 'time'] as const
export type Namespace = (typeof NAMESPACES)[number]
type Pid = number | 'self'

/**
 * The inode that identifies a namespace of a process; null if this kernel has no such kind. `pid_for_children` is the pid namespace
 * of its next child; null as long as no process has been in it.
 */
export function namespaceInode(pid: Pid, kind: Namespace | 'pid_for_children'): number | null {
  try {
    return statSync(`/proc/${pid}/ns/${kind}`).ino
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && processExists(pid)) return null
    throw error
  }
}

/** Whether we are in the machine's initial user namespace: PROC_USER_INIT_INO of linux/proc_ns.h. */
export function inFirstUserNamespace(): boolean {
  return namespaceInode('self', 'user') === 0xeffffffd
}

/** Whether we are root, and not only of a user namespace. */
export const isMachinesRoot = (): boolean => process.geteuid?.() === 0 && inFirstUserNamespace()

/** The fields of /proc/<pid>/status, values trimmed: proc_pid_status(5). */
export function status(pid: Pid): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const line of readFileSync(`/proc/${pid}/status`, 'utf8').split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trim()
  }
  return fields
}

/** The pids of the process in every pid namespace it is in, outermost first. */
export function nsPids(pid: Pid): number[] {
  return (status(pid).NSpid ?? '').split(/\s+/).map(Number)
}

/**
 * Whether the kernel keeps a signal away from a process that would end it: from the first process of a pid namespace, if that neither
 * handles, ignores nor blocks it: pid_namespaces(7). False if the process has ended.
 */
export function isSpared(pid: Pid, signal: NodeJS.Signals): boolean {
  const fields = ifReadable(() => status(pid))
  if (!fields || !/\s1$/.test(fields.NSpid ?? '')) return false
  const bit = 1n << BigInt(constants.signals[signal] - 1)
  return ['SigBlk', 'SigIgn', 'SigCgt'].every(name => (BigInt(`0x${fields[name]}`) & bit) === 0n)
}

/** A number of /proc/<pid>/stat by its place in proc_pid_stat(5), from the fourth field on. */
function statField(pid: Pid, place: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // the second field is the command in parentheses and may hold anything, so count from the last one
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[place - 3])
}

/** When a process started, in clock ticks since boot: together with the pid, an identity that is never reused. */
export const startTime = (pid: Pid): number => statField(pid, 22)

/** How a process ended that waits to be reaped, as wait(2) gives it: proc_pid_stat(5), exit_code. */
export const waitStatus = (pid: Pid): number => statField(pid, 52)

/** Its scheduling policy, by number: sched(7). */
export const schedulingPolicy = (pid: Pid): number => statField(pid, 41)

/** Whether a process is stopped, and waits for SIGCONT. */
export const isStopped = (pid: Pid): boolean =>
  unlessGone(() => (status(pid).State ?? '').startsWith('T')) ?? false

/** The process group of a process, by its number. */
export const processGroup = (pid: Pid): number => statField(pid, 5)

/** The parent of a process; 0 if the parent is not visible to us. */
export const parentOf = (pid: Pid): number => statField(pid, 4)

/**
 * Whether the process exists and is not a zombie that waits to be reaped. The state is that of its first thread, which may have ended
 * while others go on: pthread_exit(3), "Notes". They count as `Threads`.
 */
export function processExists(pid: Pid): boolean {
  const { State = 'X', Threads } = unlessGone(() => status(pid)) ?? {}
  return !/^[ZX]/.test(State) || Number(Threads) > 1
}

/** An identifier of the current boot, 8 hexadecimal digits: start times from different boots cannot be compared. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)
}

/** Whether exactly this process runs: its pid has not been reused, and it is not a zombie. */
export function isAlive(pid: number, startTicks: number): boolean {
  return processExists(pid) && unlessGone(() => startTime(pid)) === startTicks
}

/**
 * Whether a process has let go of what it had (its namespaces, say) and is not yet a zombie: PF_EXITING of linux/sched.h. The first
 * process of a pid namespace stays so until all others in it are reaped: zap_pid_ns_processes() of kernel/pid_namespace.c.
 */
export function isExiting(pid: number): boolean {
  const PF_EXITING = 0x4
  return (
    unlessGone(() => (statField(pid, 9) & PF_EXITING) !== 0 && !/^Z/.test(status(pid).State ?? '')) ?? false
  )
}

/** The children of a process. */
export function children(pid: number): number[] {
  return pids().filter(other => unlessGone(() => parentOf(other)) === pid)
}

/** The names of the interfaces in the network namespace of a process: proc_pid_net(5), `dev`. */
export function linkNames(pid: Pid): string[] {
  const table = readFileSync(`/proc/${pid}/net/dev`, 'utf8')
  return Array.from(table.matchAll(/^ *(\S+):/gm), ([, name = '']) => name)
}

/** All process ids that this procfs shows. */
export function pids(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

/** NUL-separated words: /proc/<pid>/cmdline and environ. */
export function nulSeparated(path: string): string[] {
  return readFileSync(path, 'utf8').split('\0').slice(0, -1)
}

/** A link's target; `(too long)` for a path that the kernel cannot give, as it is longer than a page: d_path() of fs/d_path.c. */
function linkTarget(path: string): string {
  try {
    return readlinkSync(path)
  } catch (error) {
    if (codeOf(error) === 'ENAMETOOLONG') return '(too long)'
    throw error
  }
}

/** The paths (or `pipe:[…]`) behind a process's open descriptors. */
export function descriptors(pid: Pid): Record<string, string> {
  const folder = `/proc/${pid}/fd`
  const found: Record<string, string> = {}
  for (const fd of readdirSync(folder)) {
    const target = unlessGone(() => linkTarget(`${folder}/${fd}`))
    if (target !== undefined) found[fd] = target // among ours, the one that read this directory is closed by now
  }
  return found
}

/** The errors for something that has gone: ESRCH for a process's own files, ENODEV for an open control file of a removed cgroup. */
const GONE = ['ENOENT', 'ESRCH', 'ENODEV']

/** Whether an error means that the thing has gone. */
export const isGone = (error: unknown): boolean => GONE.includes(codeOf(error) ?? '')

/** The result of a read; undefined if its object has gone: a process may end between listing and reading. */
export function unlessGone<T>(look: () => T): T | undefined {
  try {
    return look()
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** The result of reading about a process; undefined if it has ended, or belongs to another user. */
export function ifReadable<T>(look: () => T): T | undefined {
  try {
    return unlessGone(look)
  } catch (error) {
    if (codeOf(error) === 'EACCES') return undefined
    throw error
  }
}
