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
  MS_SLAVE,
  O_CLOEXEC,
  O_RDONLY,
} from '../kernel/constants.ts'
import { writeControl } from '../kernel/control-file.ts'
import type { Part } from './part.ts'
import { has, type IdMapping, type NamespaceType, type Spec } from './spec.ts'

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
 * Chapter 2. Namespaces: most come into being with the clone itself; the child then finishes what only it can do.
 */
export const namespaces: Part = {
  name: 'namespaces',

  flags(spec) {
    return spec.linux.namespaces
      .filter(ns => !ns.path && ns.type !== 'cgroup') // the cgroup namespace waits: see inside()
      .reduce((flags, ns) => flags | FLAGS[ns.type], 0)
  },

  attach({ spec }, pid) {
    if (has(spec, 'user')) mapIds(pid, spec)
    const { monotonic, boottime } = spec.linux.timeOffsets ?? {}
    // time_namespaces(7): the offsets can be set until the first process has entered, that is, until our execve
    if (monotonic) writeControl(`/proc/${pid}/timens_offsets`, offset('monotonic', monotonic))
    if (boottime) writeControl(`/proc/${pid}/timens_offsets`, offset('boottime', boottime))
  },

  inside(tape, { spec }) {
    for (const { type, path } of spec.linux.namespaces) {
      if (path) tape.setns(tape.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0), FLAGS[type])
    }
    if (has(spec, 'user')) {
      // now that the map is written: become root of the new user namespace, whoever that is outside
      tape.setresgid(0, 0, 0)
      tape.setresuid(0, 0, 0)
    }
    // cgroup_namespaces(7): its root is the cgroup one is in at that moment, so we had to be moved there first
    if (has(spec, 'cgroup') && !spec.linux.namespaces.some(ns => ns.type === 'cgroup' && ns.path))
      tape.unshare(CLONE_NEWCGROUP)
    // mount_namespaces(7): a new mount namespace still propagates to its origin, until told otherwise
    if (has(spec, 'mount')) {
      const slave = spec.linux.rootfsPropagation?.includes('slave')
      tape.mount(null, '/', null, MS_REC | (slave ? MS_SLAVE : MS_PRIVATE), null)
    }
    if (spec.hostname && has(spec, 'uts')) tape.sethostname(spec.hostname, Buffer.byteLength(spec.hostname))
    if (spec.domainname && has(spec, 'uts'))
      tape.setdomainname(spec.domainname, Buffer.byteLength(spec.domainname))
  },
}

/** Writes the maps of a new user namespace; user_namespaces(7) gives the rules. Throws a SyscallError with the remedy. */
function mapIds(pid: number, { linux }: Spec): void {
  const format = (map: IdMapping[] = []) => map.map(m => `${m.containerID} ${m.hostID} ${m.size}\n`).join('')
  // without CAP_SETGID over the parent namespace a gid_map is accepted only once setgroups is denied
  if (process.getuid?.() !== 0) writeControl(`/proc/${pid}/setgroups`, 'deny')
  writeControl(`/proc/${pid}/uid_map`, format(linux.uidMappings))
  writeControl(`/proc/${pid}/gid_map`, format(linux.gidMappings))
}

function offset(clock: string, { secs = 0, nanosecs = 0 }): string {
  return `${clock} ${secs} ${nanosecs}`
}
