import { namespaceInode, pids, status, unlessGone, nulSeparated } from '../kernel/process/procfs.ts'
import { idRanges } from './security.ts'
import { isReadable, reading } from './readable.ts'
import type { IdRange, Process, Processes } from './snapshot-shape.ts'

/** The state letters of proc_pid_status(5), in words. */
const STATES: Record<string, string> = {
  R: 'running',
  S: 'sleeping',
  D: 'uninterruptible',
  T: 'stopped',
  t: 'traced',
  Z: 'zombie',
  X: 'dead',
  I: 'idle',
}

const LONGEST = 4096 // characters of a command that are shown at most

/**
 * The processes of a container, as a tree: all in the pid namespace of its first process; or, if that namespace is ours, the
 * process and its descendants. Throws ENOENT or ESRCH if the process has ended.
 */
export function processesOf(pid: number): Processes {
  const all = statuses()
  const first = status(pid)
  const columns = (first.NSpid ?? '').split(/\s+/)
  const level = columns.length - 1 // the column of NSpid that the container's pids are in: the last one of its first process
  const inode = reading(`/proc/${pid}/ns/pid`, () => namespaceInode(pid, 'pid'))
  const ours = namespaceInode('self', 'pid')
  const members = new Set([pid])
  const own = isReadable(inode) && inode !== ours
  if (own) for (const other of all.keys()) if (pidNamespace(other) === inode) members.add(other)
  addDescendants(members, all)

  const ranges = idRanges(pid, 'uid_map')
  const inOurs = reading('', () => namespaceInode(pid, 'user') === namespaceInode('self', 'user'))
  const map = inOurs === true || !isReadable(ranges) ? null : ranges
  const nodes = new Map(
    [...members].flatMap(member => {
      const fields = all.get(member) ?? (member === pid ? first : undefined)
      return fields ? [[member, node(member, fields, level, map)] as const] : []
    }),
  )
  const roots: Process[] = []
  for (const process of [...nodes.values()].sort((a, b) => a.pid - b.pid))
    (nodes.get(process.parent)?.children ?? roots).push(process)
  const why = own
    ? null
    : !isReadable(inode)
      ? `the processes in its pid namespace are not readable: ${inode.notReadable}`
      : "the pid namespace is the host's: only the process and its descendants are shown"
  return { scope: own ? 'namespace' : 'descendants', why, roots, count: nodes.size }
}

/** A tree as a list, parents first. */
export function flat(roots: readonly Process[]): Process[] {
  return roots.flatMap(process => [process, ...flat(process.children)])
}

/** Whether a process belongs to a container: it was seen there, or is a newer child of one that was, or has ended. */
export function belongsTo(container: ReadonlySet<number>, pid: number): boolean {
  if (container.has(pid)) return true
  const parent = unlessGone(() => Number(status(pid).PPid))
  return parent === undefined || container.has(parent)
}

/** The status files of all processes that this procfs shows. */
function statuses(): Map<number, Record<string, string>> {
  const found = new Map<number, Record<string, string>>()
  for (const pid of pids()) {
    const fields = unlessGone(() => status(pid))
    if (fields) found.set(pid, fields)
  }
  return found
}

function pidNamespace(pid: number): number | null {
  const inode = unlessGone(() => reading('', () => namespaceInode(pid, 'pid')))
  return inode !== undefined && isReadable(inode) ? inode : null
}

function addDescendants(members: Set<number>, all: Map<number, Record<string, string>>): void {
  // a parent may have a higher pid than its child, so repeat until no more are found
  for (let found = -1; found !== members.size;) {
    found = members.size
    for (const [pid, { PPid }] of all) if (members.has(Number(PPid))) members.add(pid)
  }
}

function node(pid: number, fields: Record<string, string>, level: number, map: IdRange[] | null): Process {
  const { Name = '', State = '', NSpid = '', Uid = '', PPid, Threads } = fields
  const uid = Number(Uid.split(/\s+/)[1])
  const letter = State[0] ?? ''
  const line = (unlessGone(() => nulSeparated(`/proc/${pid}/cmdline`)) ?? []).join(' ').trim()
  return {
    pid,
    inside: Number(NSpid.split(/\s+/)[level] ?? pid),
    parent: Number(PPid),
    name: Name,
    command: line.slice(0, LONGEST) || `[${Name}]`,
    state: letter,
    stateName: STATES[letter] ?? State,
    threads: Number(Threads),
    uid,
    uidInside: map ? inside(uid, map) : uid,
    children: [],
  }
}

/** What one of our ids is in a user namespace; null if it has no id there. */
function inside(id: number, map: readonly IdRange[]): number | null {
  const range = map.find(({ outside, count }) => id >= outside && id < outside + count)
  return range ? id - range.outside + range.inside : null
}
