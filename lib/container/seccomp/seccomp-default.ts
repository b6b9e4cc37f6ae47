// The system calls that a container may make by default. The rule is Docker's: everything but what is listed
// here; the lists follow the default profile of github.com/moby/profiles, which lists the allowed calls instead.
import { constants } from 'node:os'
import type { Capability } from '../../kernel/process/capabilities.ts'
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from '../../kernel/syscalls/constants.ts'
import { arch, numbers } from '../../kernel/syscalls/syscall-numbers.ts'
import type { SyscallName } from '../../kernel/syscalls/syscall-numbers.ts'
import type { Seccomp } from './seccomp-profile.ts'

type Rule = NonNullable<Seccomp['syscalls']>[number]
type Test = Omit<NonNullable<Rule['args']>[number], 'index'>

// oxfmt-ignore
const MOUNTING: SyscallName[] = [
  'mount', 'umount2', 'open_tree', 'open_tree_attr', 'move_mount', 'mount_setattr', 'fsopen', 'fsconfig', 'fsmount', 'fspick',
]

/**
 * Calls that fail with EPERM, and why, unless the container holds one of the capabilities. ptrace and process_vm_* are
 * not listed: since Linux 4.8 a tracer cannot get a call past the filter.
 */
// oxfmt-ignore
export const refusals: { calls: SyscallName[]; why: string; unless?: Capability[] }[] = [
  { calls: MOUNTING,
    why: 'change mounts, and so could undo how the root is confined', unless: ['CAP_SYS_ADMIN'] },
  { calls: ['unshare', 'setns'],
    why: 'make or join namespaces: in a new user namespace a process has every capability', unless: ['CAP_SYS_ADMIN'] },
  { calls: ['listns'], why: 'lists namespaces, also those outside', unless: ['CAP_SYS_ADMIN'] },
  { calls: ['sethostname', 'setdomainname'], why: 'name the machine', unless: ['CAP_SYS_ADMIN'] },
  { calls: ['quotactl', 'quotactl_fd'], why: 'set disk quotas of the host', unless: ['CAP_SYS_ADMIN'] },
  { calls: ['fanotify_init'], why: 'watches file access on whole mounts, and can delay it', unless: ['CAP_SYS_ADMIN'] },
  { calls: ['lookup_dcookie'], why: 'tells paths of the host to a profiler', unless: ['CAP_SYS_ADMIN'] },
  { calls: ['lsm_get_self_attr', 'lsm_set_self_attr', 'lsm_list_modules'], why: 'security modules of the host', unless: ['CAP_SYS_ADMIN'] },
  { calls: ['bpf'], why: 'runs programs inside the kernel', unless: ['CAP_SYS_ADMIN', 'CAP_BPF'] },
  { calls: ['perf_event_open'], why: 'watches the whole machine', unless: ['CAP_SYS_ADMIN', 'CAP_PERFMON'] },
  { calls: ['syslog'], why: 'reads the log of the host', unless: ['CAP_SYS_ADMIN', 'CAP_SYSLOG'] },
  { calls: ['chroot', 'fchroot'], why: 'moves the root: the classic escape', unless: ['CAP_SYS_CHROOT'] },
  { calls: ['pivot_root'], why: 'changes the root file system; the runtime has done so already' },
  { calls: ['open_by_handle_at'], why: 'opens files outside the mount namespace (the "shocker" escape)', unless: ['CAP_DAC_READ_SEARCH'] },
  { calls: ['kcmp', 'pidfd_getfd', 'process_madvise'], why: 'reach into another process', unless: ['CAP_SYS_PTRACE'] },
  { calls: ['init_module', 'finit_module', 'delete_module'], why: 'change the kernel itself', unless: ['CAP_SYS_MODULE'] },
  { calls: ['kexec_load', 'kexec_file_load'], why: 'load another kernel to boot' },
  { calls: ['reboot'], why: 'stops the machine', unless: ['CAP_SYS_BOOT'] },
  { calls: ['swapon', 'swapoff'], why: 'configure the swap of the host' },
  { calls: ['acct'], why: 'writes a record of every process of the host', unless: ['CAP_SYS_PACCT'] },
  { calls: ['settimeofday', 'clock_settime'], why: 'set the clock, which has no namespace', unless: ['CAP_SYS_TIME'] },
  { calls: ['iopl', 'ioperm'], why: 'reach I/O ports', unless: ['CAP_SYS_RAWIO'] },
  { calls: ['vhangup'], why: 'hangs up the terminal', unless: ['CAP_SYS_TTY_CONFIG'] },
  { calls: ['mbind', 'get_mempolicy', 'set_mempolicy', 'set_mempolicy_home_node'], why: 'choose memory nodes', unless: ['CAP_SYS_NICE'] },
  { calls: ['move_pages', 'migrate_pages'], why: 'move memory between nodes, also that of other processes' },
  { calls: ['add_key', 'request_key', 'keyctl'], why: 'the kernel keyring has no namespace' },
  { calls: ['userfaultfd'], why: 'pauses the kernel in the middle of a copy: lets exploits win races' },
  { calls: ['io_uring_setup', 'io_uring_enter', 'io_uring_register'], why: 'make calls that no seccomp filter sees, with many past vulnerabilities' },
  { calls: ['uselib', 'ustat', 'sysfs', '_sysctl'], why: 'obsolete, and unused' },
  { calls: ['afs_syscall', 'create_module', 'get_kernel_syms', 'getpmsg', 'nfsservctl', 'putpmsg', 'query_module', 'security', 'tuxcall', 'vserver'],
    why: 'the kernel no longer has them, or never had' },
]

const NEW_NAMESPACES =
  CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET

/** Calls that depend on their arguments, unless the container holds the capability. */
const conditions: { rules: Rule[]; unless?: Capability[] }[] = [
  // clone3's flags lie in memory, which BPF cannot read; on ENOSYS the C library falls back to clone
  {
    rules: [{ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: constants.errno.ENOSYS }],
    unless: ['CAP_SYS_ADMIN'],
  },
  // threads and processes, but no new namespaces
  {
    rules: allowIf('clone', { op: 'SCMP_CMP_MASKED_EQ', value: NEW_NAMESPACES, valueTwo: 0 }),
    unless: ['CAP_SYS_ADMIN'],
  },
  // not 38, AF_ALG (the kernel's crypto, a history of holes), and not 40, AF_VSOCK (leads to the hypervisor). The
  // kernel reads 32 bits of this argument: "not 40" in 64 bits would let 2^32 + 40 through, so the allowed values are listed.
  { rules: allowIf('socket', { op: 'SCMP_CMP_LT', value: 38 }, ...[39, 41, 42, 43, 44, 45].map(equal)) },
  // plain Linux, UNAME26 (0x20000), PER_LINUX32 (8), and 0xffffffff, which only asks; not ADDR_NO_RANDOMIZE and the like
  { rules: allowIf('personality', ...[0, 8, 0x20000, 0x20008, 0xffffffff].map(equal)) },
]

/**
 * The default profile for a container with these capabilities (of its bounding set, CAP_ names), as OCI `linux.seccomp`
 * for any runtime on this machine. It names the refused calls too: a call newer than all named ones is ENOSYS.
 */
export function defaultProfile(capabilities: string[]): Seccomp {
  const applies = ({ unless }: { unless?: Capability[] }) =>
    !unless?.some(name => capabilities.includes(name))
  const names: string[] = refusals.filter(applies).flatMap(({ calls }) => calls)
  const conditional = conditions.filter(applies).flatMap(({ rules }) => rules)
  const mentioned = new Set([...names, ...conditional.flatMap(({ names }) => names)])
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    // runc 1.1 answers newer calls with ENOSYS only on an architecture that is listed
    architectures: [arch === 'x64' ? 'SCMP_ARCH_X86_64' : 'SCMP_ARCH_AARCH64'],
    syscalls: [
      { names: Object.keys(numbers).filter(name => !mentioned.has(name)), action: 'SCMP_ACT_ALLOW' },
      { names, action: 'SCMP_ACT_ERRNO' },
      ...conditional,
    ],
  }
}

/**
 * A profile that forbids all mounting and unmounting. Otherwise root with CAP_SYS_ADMIN could uncover the hidden parts of /proc and
 * /sys, because the mounts that cover them are in its own namespace.
 */
export function withoutMounting(profile: Seccomp): Seccomp {
  const mounting: string[] = MOUNTING
  const rules = (profile.syscalls ?? []).map(rule => ({
    ...rule,
    names: rule.names.filter(name => !mounting.includes(name)),
  }))
  return { ...profile, syscalls: [...rules, { names: mounting, action: 'SCMP_ACT_ERRNO' }] }
}

/** Allows a call if its first argument passes any of the tests. */
function allowIf(name: SyscallName, ...tests: Test[]): Rule[] {
  return tests.map(test => ({ names: [name], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, ...test }] }))
}

function equal(value: number): Test {
  return { op: 'SCMP_CMP_EQ', value }
}
