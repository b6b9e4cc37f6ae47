import type { CgroupMode } from '../kernel/cgroup/cgroupfs.ts'
import type { Namespace } from '../kernel/process/procfs.ts'
import type { Readable } from './readable.ts'

/**
 * A container at one moment, as the kernel shows it in /proc, /sys/fs/cgroup and by rtnetlink(7); nothing is remembered from
 * when it was made. It is plain data, which can be written as JSON. A value that we may not read is replaced by `{ notReadable:
 * 'what: why' }`.
 */
export interface Snapshot {
  /** the name that the user gave it; for a process that is not a container of ours, its command */
  name: string
  /** its first process, as we see it; together with `started` this is never reused */
  pid: number
  /** clock ticks since boot, proc_pid_stat(5) field 22 */
  started: number
  /** ISO 8601 */
  taken: string
  processes: Processes
  /** always eight, in the order of namespaces(7) as `NAMESPACES` has it */
  namespaces: NamespaceView[]
  mounts: Readable<Mounts>
  cgroup: CgroupView
  network: Network
  security: Security
}

export interface Processes {
  /**
   * `namespace`: all processes in the container's pid namespace and the namespaces below it. `descendants`: the first process
   * and its descendants, because the pid namespace is the host's, or because we may not read who is in it.
   */
  scope: 'namespace' | 'descendants'
  /** why `descendants`; null otherwise */
  why: string | null
  /** the processes whose parent is not in the container: the first one, and those started by `exec` */
  roots: Process[]
  /** of all processes, not only the roots */
  count: number
}

export interface Process {
  /** as we see it */
  pid: number
  /** its pid inside, from NSpid in proc_pid_status(5): the same if the pid namespace is the host's */
  inside: number
  /** its parent, as we see it; 0 if we cannot see that */
  parent: number
  /** at most 15 bytes: what `ps -o comm` shows */
  name: string
  /** with its arguments; without any, the name in brackets, as `ps` prints it. Untrusted text: escape it */
  command: string
  /** R, S, D, T, t, Z, X, I */
  state: string
  /** `running`, `sleeping`, `zombie` … */
  stateName: string
  threads: number
  /** the effective uid, as we see it */
  uid: number
  /** the same in the container's user namespace; null if it has no id there */
  uidInside: number | null
  children: Process[]
}

export interface NamespaceView {
  kind: Namespace
  /** the inode of /proc/<pid>/ns/<kind>; null if this kernel has no such type */
  inode: Readable<number | null>
  /** the host's, to compare: process 1's, or ours if we may not read that */
  host: Readable<number | null>
  /** whether it differs from the host's */
  own: Readable<boolean>
  /** other processes in it, if it is not the host's: another container that shares it, for example */
  others: { pid: number; name: string }[]
  /** how many of the processes that we may read are in it */
  members: number
}

export interface Mounts {
  /** the mount that is "/", and the mounts below it, in the order in which they were made */
  roots: MountView[]
  count: number
  /** whether the mount namespace is the host's: then these are the machine's mounts */
  shared: Readable<boolean>
  /** the overlays among them, outermost first: usually the container's root */
  overlays: Overlay[]
}

export interface MountView {
  id: number
  /** as the container sees it */
  target: string
  type: string
  source: string
  /** the directory of the file system that it shows: `/`, unless it is a bind mount of a part */
  root: string
  /** of the mount: ro, nosuid, nodev, noexec, relatime … */
  flags: string[]
  /** `shared:1`, `master:2` …; none for a private mount */
  propagation: string[]
  /** another mount lies on the same directory, and hides it */
  covered: boolean
  children: MountView[]
}

export interface Overlay {
  target: string
  /** topmost first, as lowerdir has them */
  lower: Layer[]
  /** null if the overlay is read-only */
  upper: Layer | null
  work: string | null
}

export interface Layer {
  /** as given to mount(2) */
  path: string
  /** what is in it; null for lower layers, which are not counted: they are large, shared, and do not change */
  content: Readable<Content> | null
}

export interface Content {
  /** directories, files, links, whiteouts; without the top directory */
  entries: number
  /** of the regular files, as `ls -l` shows them */
  bytes: number
  /** 0:0 character devices: what the container has deleted from the lower layers */
  whiteouts: number
  /** whether counting stopped at our limit */
  more: boolean
  /** a few of its paths that are not directories, as the container sees them */
  some: Change[]
}

export interface Change {
  path: string
  /** `copied up`: a lower layer has a file of that name; `whiteout`: it hides that file, which the container has deleted */
  what: 'new' | 'copied up' | 'whiteout'
}

/** A number from the kernel; null if the file does not exist: no such controller, or the root of a hierarchy. */
export type Count = Readable<number | null>
/** A limit; `max` if there is none. */
export type Limit = Readable<number | 'max' | null>

export interface CgroupView {
  mode: CgroupMode
  /** the directories of its cgroup: one on v2, one for each hierarchy on v1; empty if no cgroups are mounted */
  folders: { version: 1 | 2; controllers: string[]; path: string }[]
  memory: {
    /** the directory that was read; null if no memory controller is mounted */
    path: string | null
    /** other processes in that directory: the numbers include them */
    others: Count
    /** bytes */
    current: Count
    /** bytes */
    peak: Count
    /** bytes */
    limit: Limit
    /** how many of its processes the OOM killer has killed */
    oomKills: Count
  }
  cpu: {
    path: string | null
    others: Count
    /** microseconds of CPU time in each period */
    quota: Limit
    /** microseconds */
    period: Count
    /** microseconds of CPU time */
    used: Count
    /** in how many periods it wanted to run, and in how many it was throttled */
    periods: Count
    throttled: Count
    /** microseconds that its threads had to wait because of throttling */
    throttledTime: Count
  }
  pids: {
    path: string | null
    others: Count
    /** processes and threads: each thread counts */
    current: Count
    /** null if the kernel has no pids.peak */
    peak: Count
    limit: Limit
    /** how often a fork was refused */
    refused: Count
  }
  /** null if no freezer is mounted */
  frozen: Readable<boolean | null>
}

export interface Network {
  /** whether the network namespace is the container's own; the host's is not drawn, and `links` is then empty */
  own: Readable<boolean>
  links: LinkView[]
  /** why addresses and routes are missing; null if they are complete */
  limited: string | null
  /** null if there is none: nothing outside can be reached */
  defaultRoute: RouteView | null
  /** where the other ends of its cables are, on the host or in a sandbox; null if it has no cable, or we cannot see the other ends */
  outside: Outside | null
}

/** A link. Values that only rtnetlink gives are null if we may not use it. */
export interface LinkView {
  index: number | null
  name: string
  /** `veth`, `bridge` …; null for hardware and the loopback */
  kind: string | null
  up: boolean | null
  /** up, and able to carry packets */
  running: boolean | null
  mtu: number | null
  mac: string | null
  /** `10.44.0.2/24` */
  addresses: string[]
  rxPackets: number
  rxBytes: number
  txPackets: number
  txBytes: number
}

export interface RouteView {
  via: string | null
  dev: string | null
}

export interface Outside {
  /** whether that is the host's network namespace; otherwise it is a sandbox's, which has its own network */
  host: boolean
  /** the process through which we know it: an ancestor of the container, or ourselves */
  pid: number
  cables: Cable[]
  /** the default route there */
  defaultRoute: RouteView | null
  /** the address of the link that the default route uses */
  address: string | null
}

/** A veth pair with one end in the container. */
export interface Cable {
  /** the name of the inner end, which is in `Network.links` */
  inside: string
  /** the outer end */
  peer: LinkView
  /** the bridge that the outer end is attached to; null if there is none */
  bridge: (LinkView & { ports: number }) | null
}

export interface Security {
  /** the effective capabilities of the first process, by name */
  capabilities: string[]
  /** whether that is every capability that this kernel has */
  allCapabilities: boolean
  noNewPrivileges: boolean
  seccomp: 'off' | 'strict' | 'filter'
  /** how many filters are installed */
  seccompFilters: number
  uidMap: Readable<IdRange[]>
  gidMap: Readable<IdRange[]>
}

/** One line of /proc/<pid>/uid_map: user_namespaces(7). */
export interface IdRange {
  inside: number
  outside: number
  count: number
}
