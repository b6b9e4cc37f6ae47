import {
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
  type Part,
  type Spec,
  writeControl,
} from 'minilab'

/** The kinds that come with the clone, by their names in the specification. */
const WITH_CLONE: Record<string, number> = {
  user: CLONE_NEWUSER,
  pid: CLONE_NEWPID,
  mount: CLONE_NEWNS,
  uts: CLONE_NEWUTS,
  ipc: CLONE_NEWIPC,
  network: CLONE_NEWNET,
  time: CLONE_NEWTIME,
}

const has = (spec: Spec, kind: string) => spec.linux.namespaces.some(({ type }) => type === kind)

export const namespaces: Part = {
  name: 'namespaces',

  flags({ linux }) {
    return linux.namespaces.reduce((flags, { type }) => flags | (WITH_CLONE[type] ?? 0), 0)
  },

  attach({ spec }, pid) {
    if (!has(spec, 'user')) return
    // an ordinary user may write a gid_map only after no process inside can leave a group any more
    if (process.getuid?.() !== 0) writeControl(`/proc/${pid}/setgroups`, 'deny')
    writeControl(`/proc/${pid}/uid_map`, lines(spec.linux.uidMappings))
    writeControl(`/proc/${pid}/gid_map`, lines(spec.linux.gidMappings))
  },

  inside(tape, { spec }) {
    if (has(spec, 'user')) {
      tape.setresgid(0, 0, 0)
      tape.setresuid(0, 0, 0)
    }
    // its root is the caller's current cgroup: the child was moved into its own only while it waited for us
    if (has(spec, 'cgroup')) tape.unshare(CLONE_NEWCGROUP)
    if (has(spec, 'mount')) tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)
    if (has(spec, 'uts') && spec.hostname) tape.sethostname(spec.hostname, Buffer.byteLength(spec.hostname))
  },
}

/** A map as the kernel reads it: a line for each range of ids, with its first id inside, its first id outside, and the count. */
function lines(mappings: Spec['linux']['uidMappings'] = []): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('')
}
