import {
  AT_FDCWD,
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  O_CLOEXEC,
  O_RDONLY,
} from '../../kernel/syscalls/constants.ts'
import { writeControl } from '../../kernel/cgroup/control-file.ts'
import { writeIdMaps } from '../../kernel/process/id-maps.ts'
import type { Tape } from '../../kernel/tape/tape.ts'
import type { Part } from '../part.ts'
import { has, idMapLines, type NamespaceType, type Spec } from '../spec.ts'

/** The clone flag for each kind, by the names that config.json uses: namespaces(7). */
const FLAGS: Record<NamespaceType, number> = {
  user: CLONE_NEWUSER,
  pid: CLONE_NEWPID,
  mount: CLONE_NEWNS,
  uts: CLONE_NEWUTS,
  ipc: CLONE_NEWIPC,
  network: CLONE_NEWNET,
  cgroup: CLONE_NEWCGROUP,
  time: CLONE_NEWTIME,
}

/**
 * Chapter 2. Namespaces: most are created by the clone itself; the child then does what only it can do.
 */
export const namespaces: Part = {
  name: 'namespaces',

  flags(spec) {
    return spec.linux.namespaces
      .filter(ns => !ns.path && ns.type !== 'cgroup') // the cgroup namespace waits: see inside()
      .reduce((flags, ns) => flags | FLAGS[ns.type], 0)
  },

  attach({ spec }, pid) {
    const { uidMappings, gidMappings } = spec.linux
    if (spec.linux.namespaces.some(({ type, path }) => type === 'user' && !path))
      writeIdMaps(pid, idMapLines(uidMappings), idMapLines(gidMappings))
    // time_namespaces(7): the offsets can be set until the first process has entered, that is, until our execve
    // offsets of zero are the default, also in kernels that accept none: time-offsets.ts
    for (const [clock, { secs = 0, nanosecs = 0 }] of Object.entries(spec.linux.timeOffsets ?? {}))
      if (secs || nanosecs) writeControl(`/proc/${pid}/timens_offsets`, `${clock} ${secs} ${nanosecs}`)
  },

  inside(tape, { spec }) {
    for (const { type, path } of spec.linux.namespaces) {
      if (path && !JOINED_FIRST.includes(type))
        tape.setns(tape.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0), FLAGS[type])
    }
    if (has(spec, 'user')) {
      // now that the map is written: become root of the new user namespace, whatever our uid outside is
      tape.setresgid(0, 0, 0)
      tape.setresuid(0, 0, 0)
    }
    // cgroup_namespaces(7): its root is the caller's current cgroup, so we had to be moved there first
    if (has(spec, 'cgroup') && !spec.linux.namespaces.some(ns => ns.type === 'cgroup' && ns.path))
      tape.unshare(CLONE_NEWCGROUP)
    // mount_namespaces(7): a new mount namespace still propagates to its origin, until told otherwise
    if (has(spec, 'mount')) tape.mount(null, '/', null, MS_REC | propagation(spec), null)
    if (spec.hostname && has(spec, 'uts')) tape.sethostname(spec.hostname, Buffer.byteLength(spec.hostname))
    if (spec.domainname && has(spec, 'uts'))
      tape.setdomainname(spec.domainname, Buffer.byteLength(spec.domainname))
  },
}

/** How mounts propagate between the new mount namespace and its origin: not at all, only into it, or both ways. */
function propagation({ linux: { rootfsPropagation = '' } }: Spec): number {
  if (rootfsPropagation.includes('shared')) return MS_SHARED
  return rootfsPropagation.includes('slave') ? MS_SLAVE : MS_PRIVATE
}

/** The kinds to join before the process is made that belongs to them: its other namespaces belong to a joined user namespace. */
const JOINED_FIRST: NamespaceType[] = ['user', 'pid']

/**
 * Joins existing user and pid namespaces; true if there are any. pid_namespaces(7): only a later child is in a joined pid namespace.
 */
export function joinFirst(tape: Tape, { linux }: Spec): boolean {
  const existing = linux.namespaces.filter(({ type, path }) => path && JOINED_FIRST.includes(type))
  // a process that has joined a user namespace has no rights any more over those outside
  for (const { type, path = '' } of existing.toSorted(
    (a, b) => Number(a.type === 'user') - Number(b.type === 'user'),
  ))
    tape.setns(tape.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0), FLAGS[type])
  return existing.length > 0
}
