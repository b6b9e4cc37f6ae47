import { codeOf } from '../common/error-code.ts'
import { attachProgram } from '../kernel/cgroup/bpf-program.ts'
import type { Cgroup } from '../kernel/cgroup/cgroup.ts'

/**
 * The settings below /proc/sys that belong to a namespace, not to the machine: network_namespaces(7), ipc_namespaces(7),
 * uts_namespaces(7), and namespaces(7) for user/.
 */
const NAMESPACED = [
  'net/',
  'user/',
  'fs/mqueue/',
  'kernel/hostname',
  'kernel/domainname',
  'kernel/shm',
  'kernel/msg',
  'kernel/sem',
]

/**
 * Denies the processes of a cgroup every write to a setting of the whole machine, such as kernel.core_pattern. The files of
 * /proc/sys check only for uid 0 (test_perm(), fs/proc/proc_sysctl.c), which root in a `protected` sandbox has; and a read-only
 * mount does not help, because code there can mount a new proc. So a BPF program checks each write:
 * Documentation/bpf/prog_cgroup_sysctl.rst. Does nothing without cgroup v2 or without root's rights on the machine.
 */
export function denySettingWrites(cgroup: Cgroup): void {
  attach(cgroup, BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, writesOnly(NAMESPACED))
}

/**
 * Stops the processes of a cgroup from connecting to a Unix socket by its path, such as Docker's or an SSH agent's: connecting
 * changes no file, so a read-only mount does not prevent it. socketpair(2) still works. Does nothing before Linux 6.7.
 */
export function denySocketPaths(cgroup: Cgroup): void {
  const nothing = [
    [0xb7, 0, 0, 0, 0], // r0 = 0: EPERM
    [0x95, 0, 0, 0, 0],
  ]
  for (const attachment of [BPF_CGROUP_UNIX_CONNECT, BPF_CGROUP_UNIX_SENDMSG])
    attach(cgroup, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attachment, nothing)
}

/** Attaches a program that decides what the processes of a cgroup may do. Does nothing where the kernel refuses it. */
function attach({ folders }: Cgroup, type: number, attachment: number, code: readonly number[][]): void {
  const unified = folders.find(({ hierarchy }) => hierarchy.version === 2)
  if (!unified) return
  try {
    attachProgram(unified.path, type, attachment, code)
  } catch (error) {
    if (codeOf(error) === undefined) throw error // otherwise an old kernel, or a container's root without the right
  }
}

// linux/bpf.h
const BPF_PROG_TYPE_CGROUP_SOCK_ADDR = 18
const BPF_CGROUP_UNIX_CONNECT = 49
const BPF_CGROUP_UNIX_SENDMSG = 50
const BPF_PROG_TYPE_CGROUP_SYSCTL = 23
const BPF_CGROUP_SYSCTL = 18
const GET_NAME = 101 // bpf_sysctl_get_name()

/** Bytes of a setting's name that the program reads. A longer name is cut, but its beginning is all that we compare. */
const NAME_SIZE = 32

/**
 * A BPF program that returns 1 (allow) for every read, and for a write to a setting whose name begins with one of these; else 0
 * (EPERM).
 */
function writesOnly(beginnings: readonly string[]): number[][] {
  const compared = beginnings.map(text => [...Buffer.from(text)])
  const length = compared.reduce((sum, bytes) => sum + 2 * bytes.length + 1, 0)
  const code = [
    [0x61, 2, 1, 0, 0], // r2 = context->write
    [0x15, 2, 0, 9 + length + 2, 0], // if r2 == 0: allow
    ...[0, 8, 16, 24].map(at => [0x7a, 10, 0, at - NAME_SIZE, 0]), // clear the space for the name on the stack
    [0xbf, 2, 10, 0, 0], // r2 = that space, r3 = its size, r4 = 0: the whole name
    [0x07, 2, 0, 0, -NAME_SIZE],
    [0xb7, 3, 0, 0, NAME_SIZE],
    [0xb7, 4, 0, 0, 0],
    [0x85, 0, 0, 0, GET_NAME],
  ]
  let left = length
  for (const bytes of compared) {
    for (const [i, byte] of bytes.entries()) {
      code.push([0x71, 1, 10, i - NAME_SIZE, 0]) // r1 = name[i]
      code.push([0x55, 1, 0, 2 * (bytes.length - i) - 1, byte]) // if r1 != byte: the next beginning
    }
    left -= 2 * bytes.length + 1
    code.push([0x05, 0, 0, left + 2, 0]) // allow
  }
  for (const answer of [0, 1]) code.push([0xb7, 0, 0, 0, answer], [0x95, 0, 0, 0, 0])
  return code
}
