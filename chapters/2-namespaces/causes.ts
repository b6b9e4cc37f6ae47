import { type Namespace, namespaceInode } from '../../lib/kernel/process/procfs.ts'

/** What each kind of namespace isolates, and the flag that asks for one. */
export const KINDS: Record<Namespace, { claim: string; flag: string }> = {
  user: { claim: 'users and capabilities', flag: 'CLONE_NEWUSER' },
  pid: { claim: 'process ids', flag: 'CLONE_NEWPID' },
  mnt: { claim: 'mounts', flag: 'CLONE_NEWNS' },
  uts: { claim: 'host name', flag: 'CLONE_NEWUTS' },
  ipc: { claim: 'System V queues and POSIX message queues', flag: 'CLONE_NEWIPC' },
  net: { claim: 'network interfaces, addresses and ports', flag: 'CLONE_NEWNET' },
  cgroup: { claim: 'root of the cgroup tree', flag: 'CLONE_NEWCGROUP' },
  time: { claim: 'clocks that count from boot', flag: 'CLONE_NEWTIME' },
}

export const isOurs = (pid: number, kind: Namespace) =>
  namespaceInode(pid, kind) === namespaceInode('self', kind)

/** Why a process is still in our namespace of a kind. */
export function whyOurs(pid: number, kind: Namespace): string {
  const { flag } = KINDS[kind]
  if (kind === 'pid' && namespaceInode(pid, 'pid_for_children') !== namespaceInode(pid, 'pid'))
    return 'unshare(CLONE_NEWPID) was called, which affects only later children, and nothing forked after it.'
  if (kind === 'cgroup')
    return `unshare(${flag}) was never called, and the flag is not among the clone flags.`
  return `${flag} is missing from the clone flags.`
}

/** Why something that a visitor made is missing inside or visible outside: the same for each kind of namespace. */
export function whyNotInside(pid: number, kind: Namespace, host: boolean, container: boolean): string {
  if (isOurs(pid, kind)) return `It shares our ${kind} namespace: ${KINDS[kind].flag} is missing.`
  if (host && !container) return 'It was made outside: the visitor never joined the container (setns).'
  return 'It is nowhere: the kernel refused to make it.'
}
