import { constants as node } from 'node:fs'

/**
 * The kernel's constants under their own names, from the uapi headers. A prefix is also a printing table: the argument
 * kinds `flags:MS_` and `enum:PR_` (syscalls.ts) turn numbers back into the names found here.
 */

// mount(2), umount2(2): linux/mount.h
export const MS_RDONLY = 1
export const MS_NOSUID = 2
export const MS_NODEV = 4
export const MS_NOEXEC = 8
export const MS_REMOUNT = 32
export const MS_NOATIME = 1024
export const MS_BIND = 4096
export const MS_MOVE = 8192
export const MS_REC = 16384
export const MS_UNBINDABLE = 1 << 17
export const MS_PRIVATE = 1 << 18
export const MS_SLAVE = 1 << 19
export const MS_SHARED = 1 << 20
export const MS_RELATIME = 1 << 21
export const MS_STRICTATIME = 1 << 24
export const MNT_FORCE = 1
export const MNT_DETACH = 2

// open_tree(2), move_mount(2), mount_setattr(2)
export const OPEN_TREE_CLONE = 1
export const OPEN_TREE_CLOEXEC = 0o2000000
export const MOVE_MOUNT_F_EMPTY_PATH = 4
export const MOVE_MOUNT_T_SYMLINKS = 0x10
export const MOVE_MOUNT_T_EMPTY_PATH = 0x40
export const FSOPEN_CLOEXEC = 1
export const FSMOUNT_CLOEXEC = 1
export const FSCONFIG_SET_FLAG = 0
export const FSCONFIG_CMD_CREATE = 6
export const FSCONFIG_CMD_RECONFIGURE = 7
export const MOUNT_ATTR_RDONLY = 1
export const MOUNT_ATTR_NODEV = 4
export const MOUNT_ATTR_IDMAP = 0x100000

// clone3(2), unshare(2), setns(2): linux/sched.h
export const CLONE_NEWTIME = 0x80
export const CLONE_VM = 0x100
export const CLONE_FS = 0x200
export const CLONE_FILES = 0x400
export const CLONE_PIDFD = 0x1000
export const CLONE_VFORK = 0x4000
export const CLONE_PARENT = 0x8000
export const CLONE_NEWNS = 0x20000
export const CLONE_PARENT_SETTID = 0x100000
export const CLONE_NEWCGROUP = 0x2000000
export const CLONE_NEWUTS = 0x4000000
export const CLONE_NEWIPC = 0x8000000
export const CLONE_NEWUSER = 0x10000000
export const CLONE_NEWPID = 0x20000000
export const CLONE_NEWNET = 0x40000000
export const CLONE_CLEAR_SIGHAND = 0x100000000

// open(2), openat2(2); Node has those that differ between x86-64 and arm64
export const O_RDONLY = 0
export const O_WRONLY = node.O_WRONLY
export const O_RDWR = node.O_RDWR
export const O_CREAT = node.O_CREAT
export const O_EXCL = node.O_EXCL
export const O_NOCTTY = node.O_NOCTTY
export const O_TRUNC = node.O_TRUNC
export const O_APPEND = node.O_APPEND
export const O_NONBLOCK = node.O_NONBLOCK
export const O_DIRECTORY = node.O_DIRECTORY
export const O_NOFOLLOW = node.O_NOFOLLOW
export const O_CLOEXEC = 0o2000000
export const O_PATH = 0o10000000
export const RESOLVE_NO_XDEV = 1
export const RESOLVE_NO_MAGICLINKS = 2
export const RESOLVE_NO_SYMLINKS = 4
export const RESOLVE_BENEATH = 8
export const RESOLVE_IN_ROOT = 16
export const OPEN_HOW_SIZE = 24 // sizeof(struct open_how), OPEN_HOW_SIZE_VER0
export const AT_FDCWD = -100
export const AT_SYMLINK_NOFOLLOW = 0x100
export const AT_REMOVEDIR = 0x200
export const AT_EMPTY_PATH = 0x1000
export const AT_RECURSIVE = 0x8000
export const S_IFIFO = 0o010000
export const S_IFCHR = 0o020000
export const S_IFDIR = 0o040000
export const S_IFBLK = 0o060000
export const S_IFREG = 0o100000
export const F_DUPFD_CLOEXEC = 1030
export const F_ADD_SEALS = 1033
export const F_GETFD = 1
export const F_GET_SEALS = 1034
export const F_SETFD = 2
export const F_GETFL = 3
export const F_GETPIPE_SZ = 1032
export const F_SETFL = 4
export const F_OFD_SETLK = 37
export const FD_CLOEXEC = 1
export const CLOSE_RANGE_CLOEXEC = 4
export const LAST_FD = 0xffffffff // close_range(2): ~0U, all that follow
export const MFD_CLOEXEC = 1
export const MFD_ALLOW_SEALING = 2
export const MFD_NOEXEC_SEAL = 8
export const MFD_EXEC = 0x10
export const LOCK_EX = 2
export const LOCK_UN = 8
export const LOCK_NB = 4

// prctl(2), seccomp(2)
export const PR_SET_PDEATHSIG = 1
export const PR_GET_DUMPABLE = 3
export const PR_SET_DUMPABLE = 4
export const PR_SET_KEEPCAPS = 8
export const PR_CAPBSET_DROP = 24
export const PR_SET_NO_NEW_PRIVS = 38
export const PR_SET_CHILD_SUBREAPER = 36
export const PR_CAP_AMBIENT = 47
export const SECCOMP_SET_MODE_FILTER = 1
export const SECCOMP_FILTER_FLAG_NEW_LISTENER = 8

// keyctl(2): linux/keyctl.h
export const KEYCTL_GET_KEYRING_ID = 0
export const KEYCTL_JOIN_SESSION_KEYRING = 1
export const KEY_SPEC_SESSION_KEYRING = -3

// bpf(2): linux/bpf.h
export const BPF_PROG_LOAD = 5
export const BPF_PROG_ATTACH = 8

// ptrace(2): linux/ptrace.h
export const PTRACE_SEIZE = 0x4206

// wait, pidfd
export const P_ALL = 0
export const P_PIDFD = 3
export const WNOHANG = 1
export const WEXITED = 4
export const WNOWAIT = 0x01000000

// signal masks: asm-generic/signal-defs.h
export const SIG_SETMASK = 2

// signals that we send by a tape, that Node ignores, and of children: asm-generic/signal.h
export const SIGKILL = 9
export const SIGPIPE = 13
export const SIGCHLD = 17
export const SA_RESTORER = 0x04000000
export const SA_RESTART = 0x10000000
export const SIGXFSZ = 25

// sockets: linux/socket.h, linux/netlink.h
export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_CLOEXEC = 0o2000000
export const SOCK_NONBLOCK = 0o4000
export const MSG_DONTWAIT = 0x40
export const MSG_NOSIGNAL = 0x4000 // send(2): EPIPE without a SIGPIPE
export const SHUT_WR = 1
export const SOL_SOCKET = 1
export const SO_REUSEADDR = 2
export const SO_KEEPALIVE = 9
export const SO_RCVTIMEO = 20
export const SO_SNDTIMEO = 21
export const SOL_NETLINK = 270
export const SOL_TCP = 6
// linux/tcp.h
export const TCP_KEEPIDLE = 4
export const TCP_KEEPINTVL = 5
export const NETLINK_CAP_ACK = 10
export const NETLINK_EXT_ACK = 11
export const NETLINK_GET_STRICT_CHK = 12
export const NETLINK_ROUTE = 0
export const NETLINK_NETFILTER = 12
export const RTMGRP_LINK = 1
export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3
export const NLM_F_REQUEST = 1
export const NLM_F_ACK = 4
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_EXCL = 0x200
export const NLM_F_DUMP = 0x300
export const NLM_F_CREATE = 0x400

// links and routes: linux/if.h, linux/rtnetlink.h
export const IFF_UP = 1
export const IFF_RUNNING = 0x40
export const RT_TABLE_MAIN = 254
export const RT_SCOPE_UNIVERSE = 0
export const RT_SCOPE_LINK = 253
export const RT_SCOPE_NOWHERE = 255
export const RTN_UNICAST = 1
export const RTPROT_BOOT = 3

// terminals: asm-generic/ioctls.h
export const TCGETS = 0x5401
export const TCSETSW = 0x5403
export const TIOCSTI = 0x5412
export const TIOCSCTTY = 0x540e
export const TIOCGPGRP = 0x540f
export const TIOCSPGRP = 0x5410
export const TIOCGWINSZ = 0x5413
export const TIOCSWINSZ = 0x5414
export const TIOCSPTLCK = 0x40045431
export const TIOCGPTPEER = 0x5441

// System V ipc
export const IPC_CREAT = 0o1000
export const IPC_EXCL = 0o2000
export const IPC_RMID = 0

// getrlimit(2): asm-generic/resource.h
export const RLIMIT_CPU = 0
export const RLIMIT_FSIZE = 1
export const RLIMIT_DATA = 2
export const RLIMIT_STACK = 3
export const RLIMIT_CORE = 4
export const RLIMIT_RSS = 5
export const RLIMIT_NPROC = 6
export const RLIMIT_NOFILE = 7
export const RLIMIT_MEMLOCK = 8
export const RLIMIT_AS = 9
export const RLIMIT_LOCKS = 10
export const RLIMIT_SIGPENDING = 11
export const RLIMIT_MSGQUEUE = 12
export const RLIMIT_NICE = 13
export const RLIMIT_RTPRIO = 14
export const RLIMIT_RTTIME = 15

export const KCMP_FILE = 0

// splice(2): linux/splice.h
export const SPLICE_F_NONBLOCK = 2

// lseek(2), clock_gettime(2)
export const SEEK_SET = 0
export const SEEK_CUR = 1
export const SEEK_END = 2
export const CLOCK_REALTIME = 0
