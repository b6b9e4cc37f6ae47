import { type Namespace, namespaceInode } from '../../lib/kernel/process/procfs.ts'

/** What each kind of window shows, and the flag that asks for one. */
export const KINDS: Record<Namespace, { claim: string; flag: string }> = {
  user: { claim: 'users and capabilities', flag: 'CLONE_NEWUSER' },
  pid: { claim: 'process ids', flag: 'CLONE_NEWPID' },
  mnt: { claim: 'mounts', flag: 'CLONE_NEWNS' },
  uts: { claim: 'the host name', flag: 'CLONE_NEWUTS' },
  ipc: { claim: 'System V queues and POSIX message queues', flag: 'CLONE_NEWIPC' },
  net: { claim: 'network links, addresses and ports', flag: 'CLONE_NEWNET' },
  cgroup: { claim: 'the root of its cgroups', flag: 'CLONE_NEWCGROUP' },
  time: { claim: 'the clocks that count from boot', flag: 'CLONE_NEWTIME' },
}

export const isOurs = (pid: number, kind: Namespace) =>
  namespaceInode(pid, kind) === namespaceInode('self', kind)

/** Why a process is still in our namespace of a kind. */
export function whyOurs(pid: number, kind: Namespace): string {
  const { flag } = KINDS[kind]
  if (kind === 'pid' && namespaceInode(pid, 'pid_for_children') !== namespaceInode(pid, 'pid'))
    return 'unshare(CLONE_NEWPID) was called, which is for the children that come after it, and nothing forked after it.'
  if (kind === 'cgroup') return `Nobody called unshare(${flag}), nor is it among the clone flags.`
  return `${flag} is missing from the clone flags.`
}

/** Why what a visitor made is not only in the container, for each kind of namespace alike. */
export function whyNotInside(pid: number, kind: Namespace, host: boolean, container: boolean): string {
  if (isOurs(pid, kind)) return `It shares our ${kind} namespace: ${KINDS[kind].flag} is missing.`
  if (host && !container) return 'It was made outside: the visitor never joined the container (setns).'
  return 'It is nowhere: the kernel refused to make it.'
}
