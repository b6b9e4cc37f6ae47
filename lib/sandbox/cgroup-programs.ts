import { codeOf } from '../common/error-code.ts'
import { attachProgram } from '../kernel/cgroup/bpf-program.ts'
import type { Cgroup } from '../kernel/cgroup/cgroup.ts'

/** The settings below /proc/sys that belong to a namespace: network_namespaces(7), ipc_namespaces(7), uts_namespaces(7), namespaces(7). */
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
 * From now on no process in a cgroup changes a setting of the whole machine, such as kernel.core_pattern. The files of /proc/sys ask
 * only whether the caller's uid is root's (test_perm(), fs/proc/proc_sysctl.c), and in a `protected` sandbox of root it is. A
 * read-only mount does not help: code there mounts a new proc. So a BPF program looks at each write:
 * Documentation/bpf/prog_cgroup_sysctl.rst. It needs cgroup v2, and rights on the machine: where these are
 * missing, nothing is done.
 */
export function keepSettings(cgroup: Cgroup): void {
  attach(cgroup, BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL, writesOnly(NAMESPACED))
}

/**
 * From now on no process in a cgroup reaches a Unix socket by its path, as that of Docker or of an SSH agent: to connect to one
 * changes no file, so a read-only mount does not prevent it. socketpair(2) stays. It needs Linux 6.7.
 */
export function keepFromSockets(cgroup: Cgroup): void {
  const nothing = [
    [0xb7, 0, 0, 0, 0], // r0 = 0: EPERM
    [0x95, 0, 0, 0, 0],
  ]
  for (const attachment of [BPF_CGROUP_UNIX_CONNECT, BPF_CGROUP_UNIX_SENDMSG])
    attach(cgroup, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attachment, nothing)
}

/** Lets a program judge what processes in a cgroup do. Where it cannot be, nothing is done. */
function attach({ folders }: Cgroup, type: number, attachment: number, code: readonly number[][]): void {
  const unified = folders.find(({ hierarchy }) => hierarchy.version === 2)
  if (!unified) return
  try {
    attachProgram(unified.path, type, attachment, code)
  } catch (error) {
    if (codeOf(error) === undefined) throw error // an old kernel, or a container whose root may not
  }
}

// linux/bpf.h
const BPF_PROG_TYPE_CGROUP_SOCK_ADDR = 18
const BPF_CGROUP_UNIX_CONNECT = 49
const BPF_CGROUP_UNIX_SENDMSG = 50
const BPF_PROG_TYPE_CGROUP_SYSCTL = 23
const BPF_CGROUP_SYSCTL = 18
const GET_NAME = 101 // bpf_sysctl_get_name()

/** How many bytes of a setting's name are looked at; a longer name is cut, which changes nothing of how it begins. */
const NAME = 32

/** The BPF program: a read is allowed (1), and a write to a setting whose name begins in one of these ways; else it is EPERM (0). */
function writesOnly(beginnings: readonly string[]): number[][] {
  const compared = beginnings.map(text => [...Buffer.from(text)])
  const length = compared.reduce((sum, bytes) => sum + 2 * bytes.length + 1, 0)
  const code = [
    [0x61, 2, 1, 0, 0], // r2 = context->write
    [0x15, 2, 0, 9 + length + 2, 0], // if r2 == 0: allow
    ...[0, 8, 16, 24].map(at => [0x7a, 10, 0, at - NAME, 0]), // the name's place on the stack is empty
    [0xbf, 2, 10, 0, 0], // r2 = that place, r3 = its size, r4 = 0: the whole name
    [0x07, 2, 0, 0, -NAME],
    [0xb7, 3, 0, 0, NAME],
    [0xb7, 4, 0, 0, 0],
    [0x85, 0, 0, 0, GET_NAME],
  ]
  let left = length
  for (const bytes of compared) {
    for (const [i, byte] of bytes.entries()) {
      code.push([0x71, 1, 10, i - NAME, 0]) // r1 = name[i]
      code.push([0x55, 1, 0, 2 * (bytes.length - i) - 1, byte]) // if r1 != byte: the next beginning
    }
    left -= 2 * bytes.length + 1
    code.push([0x05, 0, 0, left + 2, 0]) // allow
  }
  for (const answer of [0, 1]) code.push([0xb7, 0, 0, 0, answer], [0x95, 0, 0, 0, 0])
  return code
}
