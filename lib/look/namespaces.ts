import {
  type Namespace,
  namespaceInode,
  NAMESPACES,
  pids,
  status,
  unlessGone,
} from '../kernel/process/procfs.ts'
import { belongsTo, flat } from './processes.ts'
import { isReadable, type Readable, reading } from './readable.ts'
import type { NamespaceView, Processes } from './snapshot-shape.ts'

/**
 * The eight namespaces of a container's first process, beside the host's, and the other processes in those that are its own:
 * namespaces(7). Throws ENOENT or ESRCH if the process has ended.
 */
export function namespacesOf(pid: number, { roots }: Processes): NamespaceView[] {
  const views = NAMESPACES.map((kind): NamespaceView => {
    const inode = inodeOf(pid, kind)
    const host = hostInode(kind)
    const known = isReadable(inode) ? host : inode
    const own = isReadable(known) ? inode !== null && inode !== host : known
    return { kind, inode, host, own, others: [], members: 0 }
  })
  const container = new Set(flat(roots).map(process => process.pid))
  const looked = views.filter(({ own }) => own === true)
  for (const other of looked.length ? pids() : [])
    for (const view of looked) {
      const name = nameIfIn(other, view)
      if (name === undefined) continue
      view.members++
      if (!belongsTo(container, other)) view.others.push({ pid: other, name })
    }
  return views
}

function inodeOf(pid: number | 'self', kind: Namespace): Readable<number | null> {
  return reading(`/proc/${pid}/ns/${kind}`, () => namespaceInode(pid, kind))
}

/** The host's namespace: process 1's, or ours if we may not read that. */
function hostInode(kind: Namespace): Readable<number | null> {
  const host = inodeOf(1, kind)
  return isReadable(host) ? host : inodeOf('self', kind)
}

function nameIfIn(pid: number, { kind, inode }: NamespaceView): string | undefined {
  return unlessGone(() => (inodeOf(pid, kind) === inode ? status(pid).Name : undefined))
}
