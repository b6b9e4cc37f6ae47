// The privileges of root, one by one. capabilities(7); include/uapi/linux/capability.h
import { MinilabError } from '../../common/errors.ts'
import { hint } from '../../common/suggest.ts'

/** Each capability and what it allows. Its number is its position: CAP_CHOWN is bit 0, CAP_CHECKPOINT_RESTORE bit 40. */
export const capabilities = {
  CAP_CHOWN: 'give any file to another owner or group',
  CAP_DAC_OVERRIDE: 'read, write and execute files whatever their mode says',
  CAP_DAC_READ_SEARCH: 'read files and search directories whatever their mode says',
  CAP_FOWNER: 'do to any file what its owner may: chmod, set times, delete in a sticky directory',
  CAP_FSETID: 'keep the set-user-ID and set-group-ID bits when a file changes',
  CAP_KILL: 'send a signal to any process',
  CAP_SETGID: 'take any group identity',
  CAP_SETUID: 'take any user identity',
  CAP_SETPCAP: 'drop from the bounding set, add from it to the inheritable set, set securebits',
  CAP_LINUX_IMMUTABLE: 'set a file immutable or append-only',
  CAP_NET_BIND_SERVICE: 'listen on a port below 1024',
  CAP_NET_BROADCAST: 'reserved: the kernel never checks it',
  CAP_NET_ADMIN: 'configure links, addresses, routes and the firewall',
  CAP_NET_RAW: 'open raw and packet sockets (an old ping needs it)',
  CAP_IPC_LOCK: 'lock memory beyond the limit',
  CAP_IPC_OWNER: 'use System V IPC objects whatever their mode says',
  CAP_SYS_MODULE: 'load and unload kernel modules',
  CAP_SYS_RAWIO: 'reach I/O ports and raw memory: iopl, ioperm, /dev/mem',
  CAP_SYS_CHROOT: 'chroot, and setns into another mount namespace',
  CAP_SYS_PTRACE: 'trace and read the memory of any process',
  CAP_SYS_PACCT: 'switch process accounting on and off',
  CAP_SYS_ADMIN: 'mount, namespaces, hostname, quotas and much more: the new root',
  CAP_SYS_BOOT: 'reboot, and load another kernel to run',
  CAP_SYS_NICE: 'raise priority, choose processors and memory nodes of any process',
  CAP_SYS_RESOURCE: 'go over quotas and limits, raise hard rlimits',
  CAP_SYS_TIME: 'set the clock',
  CAP_SYS_TTY_CONFIG: 'hang up and configure terminals',
  CAP_MKNOD: 'make device files',
  CAP_LEASE: 'take a lease on any file',
  CAP_AUDIT_WRITE: 'write to the audit log',
  CAP_AUDIT_CONTROL: 'configure the audit log',
  CAP_SETFCAP: 'give capabilities to a file; map uid 0 into a user namespace',
  CAP_MAC_OVERRIDE: 'override mandatory access control (Smack)',
  CAP_MAC_ADMIN: 'configure mandatory access control (Smack)',
  CAP_SYSLOG: 'read and clear the kernel log, see kernel addresses',
  CAP_WAKE_ALARM: 'set a timer that wakes the machine',
  CAP_BLOCK_SUSPEND: 'keep the machine from suspending',
  CAP_AUDIT_READ: 'read the audit log over netlink',
  CAP_PERFMON: 'watch performance of the whole system',
  CAP_BPF: 'load BPF programs and maps',
  CAP_CHECKPOINT_RESTORE: 'checkpoint and restore: choose a pid, read map_files',
} as const

export type Capability = keyof typeof capabilities

/** OCI `process.capabilities`: the five sets of capabilities(7), each a list of CAP_ names. */
export type ProcessCapabilities = Partial<
  Record<'bounding' | 'effective' | 'inheritable' | 'permitted' | 'ambient', string[]>
>

const names = Object.keys(capabilities) as Capability[]

/** What Docker gives a container's root: enough for package managers and servers, nothing that configures the host. */
export const defaultCapabilities: readonly Capability[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_RAW',
  'CAP_SYS_CHROOT',
  'CAP_MKNOD',
  'CAP_AUDIT_WRITE',
  'CAP_SETFCAP',
]

/**
 * The capabilities that the user's word means: `net_admin` and `CAP_NET_ADMIN` mean one, `ALL` means all.
 * @throws MinilabError (usage) for an unknown word, with the nearest known name
 */
export function parseCapability(word: string): readonly Capability[] {
  const upper = word.toUpperCase()
  if (upper === 'ALL') return names
  const name = upper.startsWith('CAP_') ? upper : `CAP_${upper}`
  if (Object.hasOwn(capabilities, name)) return [name as Capability]
  throw new MinilabError(
    'usage',
    `unknown capability ${JSON.stringify(word)}`,
    hint(name, names, 'see capabilities(7) for the names, or use ALL'),
  )
}

/**
 * A set of capabilities in the kernel's format: bit n for capability number n (the `Cap…:` lines of /proc/pid/status).
 * @throws MinilabError (usage) for an unknown name
 */
export function capabilityMask(set: Iterable<string>): bigint {
  let mask = 0n
  for (const word of set) {
    for (const name of parseCapability(word)) mask |= 1n << BigInt(names.indexOf(name))
  }
  return mask
}

/** The names in a mask, in numerical order. Bits of a newer kernel for which we have no name are left out. */
export function capabilityNames(mask: bigint): Capability[] {
  return names.filter((_, number) => (mask >> BigInt(number)) & 1n)
}

/** `struct __user_cap_header_struct` of capset(2) and capget(2), 8 bytes; pid 0 is the calling thread. */
export function capHeader(pid = 0): Uint8Array {
  const _LINUX_CAPABILITY_VERSION_3 = 0x20080522
  return new Uint8Array(new Uint32Array([_LINUX_CAPABILITY_VERSION_3, pid]).buffer)
}

/** `struct __user_cap_data_struct[2]` of capset(2) version 3, 24 bytes: the low 32 bits of the three sets, then the high. */
export function capData(effective: bigint, permitted: bigint, inheritable: bigint): Uint8Array {
  const sets = [effective, permitted, inheritable]
  const words = [...sets.map(mask => mask & 0xffff_ffffn), ...sets.map(mask => mask >> 32n)]
  return new Uint8Array(Uint32Array.from(words, Number).buffer)
}
