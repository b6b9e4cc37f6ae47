import { defaultCapabilities } from '../kernel/process/capabilities.ts'
import { NAMESPACES } from '../kernel/process/procfs.ts'
import type { IdMapping, MountSpec, NamespaceType, Spec } from './spec.ts'

/** What Docker hides in /proc and /sys (moby oci/defaults.go): kernel memory, keys, timers, firmware. */
const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
]

/** What may be read but not written: these files configure the whole machine. */
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

const MOUNTS: MountSpec[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
  },
  {
    destination: '/dev/shm',
    type: 'tmpfs',
    source: 'shm',
    options: ['nosuid', 'noexec', 'nodev', 'mode=1777', 'size=65536k'],
  },
  { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
]

/** Its own cgroups, read-only: there a program reads how much memory and how many CPUs it has. */
export const CGROUP_MOUNT: MountSpec = {
  destination: '/sys/fs/cgroup',
  type: 'cgroup',
  source: 'cgroup',
  options: ['nosuid', 'noexec', 'nodev', 'ro'],
}

/** The kinds of namespaces in the order of /proc/<pid>/ns, by the specification's names. */
const SPEC_NAMES: Partial<Record<string, NamespaceType>> = { mnt: 'mount', net: 'network' }
export const NAMESPACE_TYPES = NAMESPACES.map(kind => SPEC_NAMES[kind] ?? (kind as NamespaceType))

/**
 * The ids outside that the container's ids stand for. For root all as they are: file owners stay what they are, while root's rights end at
 * the namespace. In rootless mode only your own id, as root.
 */
function mappings(rootless: boolean, own: number): IdMapping[] {
  return [{ containerID: 0, hostID: rootless ? own : 0, size: rootless ? 1 : 4294967295 }]
}

/** The spec of a container as `minilab` makes it by default. Who asks for it may change it: no part of it is in another. */
export function defaultSpec(rootfs: string, args: string[], rootless: boolean): Spec {
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid: 0, gid: 0 },
      args,
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm', 'HOME=/root'],
      cwd: '/',
      capabilities: {
        bounding: [...defaultCapabilities],
        effective: [...defaultCapabilities],
        permitted: [...defaultCapabilities],
      },
      noNewPrivileges: true,
    },
    root: { path: rootfs, readonly: false },
    hostname: 'minilab',
    mounts: structuredClone(MOUNTS),
    linux: {
      namespaces: NAMESPACE_TYPES.map(type => ({ type })),
      uidMappings: mappings(rootless, process.getuid?.() ?? 0),
      gidMappings: mappings(rootless, process.getgid?.() ?? 0),
      resources: {},
      rootfsPropagation: 'rprivate', // runc's own default is a slave of the host, so mounts made on the host would appear in it
      maskedPaths: [...MASKED_PATHS],
      readonlyPaths: [...READONLY_PATHS],
    },
  }
}
