import type { CgroupMode } from '../kernel/cgroup/cgroupfs.ts'
import type { Namespace } from '../kernel/process/procfs.ts'
import type { Readable } from './readable.ts'

/**
 * One container as it is at one moment, by what the kernel says of it: /proc, /sys/fs/cgroup, rtnetlink(7). Nothing in
 * here is remembered from when it was made. All of it is plain data: it survives JSON. What we may not read has
 * `{ notReadable: 'what: why' }` in its place.
 */
export interface Snapshot {
  /** what the user calls it; of a process that is no container of ours, its command */
  name: string
  /** its first process, as we see it; with `started` a name that is never reused */
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
   * `namespace`: all in the container's own pid namespace, and what lies below it. `descendants`: the first process and
   * its descendants, because the pid namespace is the host's, or because we may not read who is in it.
   */
  scope: 'namespace' | 'descendants'
  /** why `descendants`; null otherwise */
  why: string | null
  /** those whose parent is not in the container: the first process, and each that `exec` sent in */
  roots: Process[]
  /** of all, also those below the roots */
  count: number
}

export interface Process {
  /** as we see it */
  pid: number
  /** as the container sees it: the same where the pid namespace is the host's. proc_pid_status(5) NSpid */
  inside: number
  /** the parent, as we see it; 0 where it is out of our sight */
  parent: number
  /** at most 15 bytes: what `ps -o comm` shows */
  name: string
  /** with its arguments; the name in brackets where it has none, as `ps` does it. A stranger's text: escape it */
  command: string
  /** R, S, D, T, t, Z, X, I */
  state: string
  /** `running`, `sleeping`, `zombie` … */
  stateName: string
  threads: number
  /** the effective uid, as we see it */
  uid: number
  /** the same in the container's user namespace; null where it has no number there */
  uidInside: number | null
  children: Process[]
}

export interface NamespaceView {
  kind: Namespace
  /** of /proc/<pid>/ns/<kind>; null where this kernel has no such kind */
  inode: Readable<number | null>
  /** the host's, for comparison: that of process 1, or ours where we may not read it */
  host: Readable<number | null>
  /** whether it is another one than the host's */
  own: Readable<boolean>
  /** processes in it that are not the container's, where it is not the host's: another container that shares it, say */
  others: { pid: number; name: string }[]
  /** how many processes that we may look at are in it */
  members: number
}

export interface Mounts {
  /** the mount that is "/", and what lies on it; in the order in which they were made */
  roots: MountView[]
  count: number
  /** whether the mount namespace is the host's: then these are the machine's own mounts */
  shared: Readable<boolean>
  /** the overlays among them, outermost first: the container's root, as a rule */
  overlays: Overlay[]
}

export interface MountView {
  id: number
  /** as the container sees it */
  target: string
  type: string
  source: string
  /** which directory of the file system: `/` unless it is a bind mount of a part */
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
  /** null where the overlay is read-only */
  upper: Layer | null
  work: string | null
}

export interface Layer {
  /** as it was given to mount(2) */
  path: string
  /** what is in it; of lower layers not counted (null): they are shared, large, and do not change */
  content: Readable<Content> | null
}

export interface Content {
  /** directories, files, links, whiteouts: everything but the top itself */
  entries: number
  /** of the regular files, as `ls -l` shows them */
  bytes: number
  /** 0:0 character devices: what the container has deleted from below */
  whiteouts: number
  /** whether there is more than we were willing to count */
  more: boolean
  /** a few of its paths that are no directories, as the container sees them */
  some: Change[]
}

export interface Change {
  path: string
  /** `copied up`: there is one of that name in a lower layer; `whiteout`: that one is hidden, deleted for the container */
  what: 'new' | 'copied up' | 'whiteout'
}

/** A number that the kernel tells; null where there is no such file: no such controller, or the root of a hierarchy. */
export type Count = Readable<number | null>
/** A limit; `max` where there is none. */
export type Limit = Readable<number | 'max' | null>

export interface CgroupView {
  mode: CgroupMode
  /** the directories that together are its cgroup; one on v2, one for each hierarchy on v1. None where no cgroups are mounted */
  folders: { version: 1 | 2; controllers: string[]; path: string }[]
  memory: {
    /** the directory that was read; null where no memory controller is mounted */
    path: string | null
    /** processes in that directory that are not the container's: the numbers are of all together */
    others: Count
    /** bytes */
    current: Count
    /** bytes */
    peak: Count
    /** bytes */
    limit: Limit
    /** how many processes the OOM killer has killed in it */
    oomKills: Count
  }
  cpu: {
    path: string | null
    others: Count
    /** microseconds of processor time in each period */
    quota: Limit
    /** microseconds */
    period: Count
    /** microseconds of processor time */
    used: Count
    /** how many periods there were in which it wanted to run, and in how many it was held back */
    periods: Count
    throttled: Count
    /** microseconds that its threads had to wait for it */
    throttledTime: Count
  }
  pids: {
    path: string | null
    others: Count
    /** processes and threads: each thread counts */
    current: Count
    /** null on kernels without pids.peak */
    peak: Count
    limit: Limit
    /** how often a fork was refused */
    refused: Count
  }
  /** null where no freezer is mounted */
  frozen: Readable<boolean | null>
}

export interface Network {
  /** whether the network namespace is the container's own; the host's is not drawn: `links` is empty then */
  own: Readable<boolean>
  links: LinkView[]
  /** why addresses and routes are missing; null where they are all there */
  limited: string | null
  /** null where there is none: nothing outside can be reached */
  defaultRoute: RouteView | null
  /** where the other ends of its cables are: the host, or a sandbox; null where it has none, or where we cannot see it */
  outside: Outside | null
}

/** What is known of a link; null is what only rtnetlink tells, where we may not ask it. */
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
  /** whether that is the host's network namespace; otherwise that of a sandbox, which has its own network */
  host: boolean
  /** of which process we know it: one above the container, or the one that looked */
  pid: number
  cables: Cable[]
  /** the way on from there */
  defaultRoute: RouteView | null
  /** the address of the link that the default route leads by */
  address: string | null
}

/** A veth pair whose one end is in the container. */
export interface Cable {
  /** the name of the end inside, one of `Network.links` */
  inside: string
  /** the end outside */
  peer: LinkView
  /** the bridge that it is plugged into; null where it is not */
  bridge: (LinkView & { ports: number }) | null
}

export interface Security {
  /** the effective capabilities of the first process, by name */
  capabilities: string[]
  /** whether these are all that this kernel has */
  allCapabilities: boolean
  noNewPrivileges: boolean
  seccomp: 'off' | 'strict' | 'filter'
  /** how many filters lie on top of each other */
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
