import { codeOf } from '../common/error-code.ts'
import { closing, openFile } from '../common/descriptor.ts'
import type { Cgroup } from '../kernel/cgroup/cgroup.ts'
import { BPF_PROG_ATTACH, BPF_PROG_LOAD } from '../kernel/syscalls/constants.ts'
import { now } from '../kernel/syscalls/now.ts'

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
  const nothing = assembled([
    [0xb7, 0, 0, 0, 0], // r0 = 0: EPERM
    [0x95, 0, 0, 0, 0],
  ])
  for (const attachment of [BPF_CGROUP_UNIX_CONNECT, BPF_CGROUP_UNIX_SENDMSG])
    attach(cgroup, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attachment, nothing)
}

/** Lets a program judge what processes in a cgroup do. Where it cannot be, nothing is done. */
function attach({ folders }: Cgroup, type: number, attachment: number, code: Uint8Array): void {
  const unified = folders.find(({ hierarchy }) => hierarchy.version === 2)
  if (!unified) return
  try {
    using folder = openFile(unified.path, 'r')
    using program = closing(load(type, attachment, code))
    const attr = words(folder.fd, program.fd, attachment, ALLOW_MULTI)
    now.bpf(BPF_PROG_ATTACH, [attr], attr.length)
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
const ALLOW_MULTI = 2 // BPF_F_ALLOW_MULTI: it also holds for the cgroups below
const GET_NAME = 101 // bpf_sysctl_get_name()

/** Returns a descriptor of the loaded program. */
function load(type: number, attachment: number, program: Uint8Array): number {
  const head = words(type, program.length / 8)
  // log_level, log_size, log_buf, kern_version, prog_flags, prog_name, prog_ifindex, expected_attach_type
  const rest = words(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, attachment)
  return now.bpf(BPF_PROG_LOAD, [head, { at: program }, { at: Buffer.from('GPL\0') }, rest], 24 + rest.length)
}

const words = (...numbers: number[]) => new Uint8Array(Uint32Array.from(numbers).buffer)

/** How many bytes of a setting's name are looked at; a longer name is cut, which changes nothing of how it begins. */
const NAME = 32

/** The BPF program: a read is allowed (1), and a write to a setting whose name begins in one of these ways; else it is EPERM (0). */
function writesOnly(beginnings: readonly string[]): Uint8Array {
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
  return assembled(code)
}

function assembled(code: readonly number[][]): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(code.length * 8))
  for (const [i, [op = 0, to = 0, from = 0, offset = 0, value = 0]] of code.entries()) {
    bytes.setUint8(i * 8, op)
    bytes.setUint8(i * 8 + 1, to | (from << 4))
    bytes.setInt16(i * 8 + 2, offset, true)
    bytes.setInt32(i * 8 + 4, value, true)
  }
  return new Uint8Array(bytes.buffer)
}
