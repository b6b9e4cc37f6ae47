import type { Filled } from '../syscalls/arena.ts'
import type { Later } from './tape.ts'
import type { Args, Call } from '../syscalls/syscalls.ts'

/** An argument as a value, or, where it is a number, as the result of an earlier call, or what that fills. */
type Arg<C extends Call, I extends number> = number extends Args<C>[I]
  ? Args<C>[I] | Later | Filled
  : Args<C>[I]

/** The calls of syscalls.ts as methods that record them; written by test/kernel/recorder.test.ts, for editors to show. */
export interface Recorder {
  /** read(2): read up to count bytes from a descriptor */
  read(fd: Arg<'read', 0>, buf: Arg<'read', 1>, count: Arg<'read', 2>): Later
  /** write(2): write count bytes to a descriptor */
  write(fd: Arg<'write', 0>, buf: Arg<'write', 1>, count: Arg<'write', 2>): Later
  /** readv(2): read into several pieces of memory, one after the other, at once */
  readv(fd: Arg<'readv', 0>, iov: Arg<'readv', 1>, iovcnt: Arg<'readv', 2>): Later
  /** writev(2): write several pieces of memory, one after the other, at once */
  writev(fd: Arg<'writev', 0>, iov: Arg<'writev', 1>, iovcnt: Arg<'writev', 2>): Later
  /** splice(2): move bytes between a pipe and another descriptor, without copying them to the process */
  splice(
    fd_in: Arg<'splice', 0>,
    off_in: Arg<'splice', 1>,
    fd_out: Arg<'splice', 2>,
    off_out: Arg<'splice', 3>,
    size: Arg<'splice', 4>,
    flags: Arg<'splice', 5>,
  ): Later
  /** lseek(2): move the position of an open file; returns the new one */
  lseek(fd: Arg<'lseek', 0>, offset: Arg<'lseek', 1>, whence: Arg<'lseek', 2>): Later
  /** close(2): close a descriptor */
  close(fd: Arg<'close', 0>): Later
  /** close_range(2): close descriptors first to last, or mark them close-on-exec */
  close_range(first: Arg<'close_range', 0>, last: Arg<'close_range', 1>, flags: Arg<'close_range', 2>): Later
  /** dup3(2): make newfd a copy of oldfd */
  dup3(oldfd: Arg<'dup3', 0>, newfd: Arg<'dup3', 1>, flags: Arg<'dup3', 2>): Later
  /** fcntl(2): change a property of a descriptor, such as close-on-exec, or lock a part of a file */
  fcntl(fd: Arg<'fcntl', 0>, op: Arg<'fcntl', 1>, arg: Arg<'fcntl', 2>): Later
  /** flock(2): lock a file against other processes that do the same */
  flock(fd: Arg<'flock', 0>, op: Arg<'flock', 1>): Later
  /** pipe2(2): make a pipe; pipefd receives two 32-bit descriptors */
  pipe2(pipefd: Arg<'pipe2', 0>, flags: Arg<'pipe2', 1>): Later
  /** ioctl(2): a request to a device, with a number or a buffer as its argument */
  ioctl(fd: Arg<'ioctl', 0>, op: Arg<'ioctl', 1>, arg: Arg<'ioctl', 2>): Later
  /** openat(2): open a file */
  openat(
    dirfd: Arg<'openat', 0>,
    path: Arg<'openat', 1>,
    flags: Arg<'openat', 2>,
    mode: Arg<'openat', 3>,
  ): Later
  /** openat2(2): open a file and say how its path may be resolved */
  openat2(
    dirfd: Arg<'openat2', 0>,
    path: Arg<'openat2', 1>,
    how: Arg<'openat2', 2>,
    size: Arg<'openat2', 3>,
  ): Later
  /** mkdirat(2): make a directory */
  mkdirat(dirfd: Arg<'mkdirat', 0>, path: Arg<'mkdirat', 1>, mode: Arg<'mkdirat', 2>): Later
  /** mknodat(2): make a device node, a fifo or a plain file */
  mknodat(
    dirfd: Arg<'mknodat', 0>,
    path: Arg<'mknodat', 1>,
    mode: Arg<'mknodat', 2>,
    dev: Arg<'mknodat', 3>,
  ): Later
  /** symlinkat(2): make a symbolic link at linkpath that says target */
  symlinkat(target: Arg<'symlinkat', 0>, newdirfd: Arg<'symlinkat', 1>, linkpath: Arg<'symlinkat', 2>): Later
  /** unlinkat(2): remove a name */
  unlinkat(dirfd: Arg<'unlinkat', 0>, path: Arg<'unlinkat', 1>, flags: Arg<'unlinkat', 2>): Later
  /** linkat(2): give a file a second name */
  linkat(
    olddirfd: Arg<'linkat', 0>,
    oldpath: Arg<'linkat', 1>,
    newdirfd: Arg<'linkat', 2>,
    newpath: Arg<'linkat', 3>,
    flags: Arg<'linkat', 4>,
  ): Later
  /** fchmodat(2): change a file's mode */
  fchmodat(dirfd: Arg<'fchmodat', 0>, path: Arg<'fchmodat', 1>, mode: Arg<'fchmodat', 2>): Later
  /** fchownat(2): change a file's owner */
  fchownat(
    dirfd: Arg<'fchownat', 0>,
    path: Arg<'fchownat', 1>,
    owner: Arg<'fchownat', 2>,
    group: Arg<'fchownat', 3>,
    flags: Arg<'fchownat', 4>,
  ): Later
  /** utimensat(2): set a file's times */
  utimensat(
    dirfd: Arg<'utimensat', 0>,
    path: Arg<'utimensat', 1>,
    times: Arg<'utimensat', 2>,
    flags: Arg<'utimensat', 3>,
  ): Later
  /** newfstatat(2): a file's inode, as struct stat (144 bytes on x86-64, 128 on arm64) */
  newfstatat(
    dirfd: Arg<'newfstatat', 0>,
    path: Arg<'newfstatat', 1>,
    statbuf: Arg<'newfstatat', 2>,
    flags: Arg<'newfstatat', 3>,
  ): Later
  /** statx(2): a file's inode, as struct statx (256 bytes, the same on every architecture) */
  statx(
    dirfd: Arg<'statx', 0>,
    path: Arg<'statx', 1>,
    flags: Arg<'statx', 2>,
    mask: Arg<'statx', 3>,
    statxbuf: Arg<'statx', 4>,
  ): Later
  /** lsetxattr(2): set an extended attribute, not following a symbolic link */
  lsetxattr(
    path: Arg<'lsetxattr', 0>,
    name: Arg<'lsetxattr', 1>,
    value: Arg<'lsetxattr', 2>,
    size: Arg<'lsetxattr', 3>,
    flags: Arg<'lsetxattr', 4>,
  ): Later
  /** lgetxattr(2): read an extended attribute, not following a symbolic link */
  lgetxattr(
    path: Arg<'lgetxattr', 0>,
    name: Arg<'lgetxattr', 1>,
    value: Arg<'lgetxattr', 2>,
    size: Arg<'lgetxattr', 3>,
  ): Later
  /** llistxattr(2): list the names of extended attributes, each ended by a zero byte */
  llistxattr(path: Arg<'llistxattr', 0>, list: Arg<'llistxattr', 1>, size: Arg<'llistxattr', 2>): Later
  /** clone3(2): make a child process, in new namespaces if the flags say so */
  clone3(args: Arg<'clone3', 0>, size: Arg<'clone3', 1>): Later
  /** clone(2): make a child process; 0 as its stack: it uses a copy of the caller's, or the caller's own */
  clone(
    flags: Arg<'clone', 0>,
    stack: Arg<'clone', 1>,
    parent_tid: Arg<'clone', 2>,
    arg4: Arg<'clone', 3>,
    arg5: Arg<'clone', 4>,
  ): Later
  /** execve(2): become another program */
  execve(path: Arg<'execve', 0>, argv: Arg<'execve', 1>, envp: Arg<'execve', 2>): Later
  /** execveat(2): become a program that is open as a descriptor */
  execveat(
    dirfd: Arg<'execveat', 0>,
    path: Arg<'execveat', 1>,
    argv: Arg<'execveat', 2>,
    envp: Arg<'execveat', 3>,
    flags: Arg<'execveat', 4>,
  ): Later
  /** exit_group(2): end the process */
  exit_group(status: Arg<'exit_group', 0>): Later
  /** kill(2): send a signal */
  kill(pid: Arg<'kill', 0>, sig: Arg<'kill', 1>): Later
  /** rt_sigaction(2): what a signal does: its default, or nothing; size is that of a signal mask, 8 */
  rt_sigaction(
    sig: Arg<'rt_sigaction', 0>,
    act: Arg<'rt_sigaction', 1>,
    oldact: Arg<'rt_sigaction', 2>,
    size: Arg<'rt_sigaction', 3>,
  ): Later
  /** rt_sigprocmask(2): which signals wait until they are unblocked; size is that of a signal mask, 8 */
  rt_sigprocmask(
    how: Arg<'rt_sigprocmask', 0>,
    set: Arg<'rt_sigprocmask', 1>,
    oldset: Arg<'rt_sigprocmask', 2>,
    size: Arg<'rt_sigprocmask', 3>,
  ): Later
  /** rt_sigtimedwait(2): wait for one of the signals, which are blocked; returns its number */
  rt_sigtimedwait(
    set: Arg<'rt_sigtimedwait', 0>,
    info: Arg<'rt_sigtimedwait', 1>,
    timeout: Arg<'rt_sigtimedwait', 2>,
    size: Arg<'rt_sigtimedwait', 3>,
  ): Later
  /** getrandom(2): fill a buffer with random bytes */
  getrandom(buf: Arg<'getrandom', 0>, count: Arg<'getrandom', 1>, flags: Arg<'getrandom', 2>): Later
  /** clock_gettime(2): the time of a clock, as struct timespec: seconds and nanoseconds, 16 bytes */
  clock_gettime(clockid: Arg<'clock_gettime', 0>, tp: Arg<'clock_gettime', 1>): Later
  /** getpid(2): the caller's process id, as its own pid namespace counts */
  getpid(): Later
  /** kcmp(2): whether two processes share something; for KCMP_FILE, whether two descriptors are one open file */
  kcmp(
    pid1: Arg<'kcmp', 0>,
    pid2: Arg<'kcmp', 1>,
    type: Arg<'kcmp', 2>,
    idx1: Arg<'kcmp', 3>,
    idx2: Arg<'kcmp', 4>,
  ): Later
  /** setsid(2): start a session, without a terminal */
  setsid(): Later
  /** setpgid(2): put a process into a process group; 0: the caller, into a group of its own */
  setpgid(pid: Arg<'setpgid', 0>, pgid: Arg<'setpgid', 1>): Later
  /** personality(2): the execution domain, for programs of another kind of system */
  personality(persona: Arg<'personality', 0>): Later
  /** sched_setattr(2): the policy by which a process gets the CPU, and its values, as struct sched_attr */
  sched_setattr(
    pid: Arg<'sched_setattr', 0>,
    attr: Arg<'sched_setattr', 1>,
    flags: Arg<'sched_setattr', 2>,
  ): Later
  /** ioprio_set(2): the priority of a process's input and output, a class and a value in it */
  ioprio_set(which: Arg<'ioprio_set', 0>, who: Arg<'ioprio_set', 1>, ioprio: Arg<'ioprio_set', 2>): Later
  /** umask(2): the mode bits that new files do not get */
  umask(mask: Arg<'umask', 0>): Later
  /** chdir(2): change the working directory */
  chdir(path: Arg<'chdir', 0>): Later
  /** fchdir(2): change the working directory to an open one */
  fchdir(fd: Arg<'fchdir', 0>): Later
  /** prctl(2): change a property of this process */
  prctl(
    op: Arg<'prctl', 0>,
    arg2: Arg<'prctl', 1>,
    arg3: Arg<'prctl', 2>,
    arg4: Arg<'prctl', 3>,
    arg5: Arg<'prctl', 4>,
  ): Later
  /** prlimit64(2): set a resource limit */
  prlimit64(
    pid: Arg<'prlimit64', 0>,
    resource: Arg<'prlimit64', 1>,
    new_limit: Arg<'prlimit64', 2>,
    old_limit: Arg<'prlimit64', 3>,
  ): Later
  /** waitid(2): wait for a child; infop is a siginfo_t of 128 bytes */
  waitid(
    idtype: Arg<'waitid', 0>,
    id: Arg<'waitid', 1>,
    infop: Arg<'waitid', 2>,
    options: Arg<'waitid', 3>,
    rusage: Arg<'waitid', 4>,
  ): Later
  /** wait4(2): wait for a child, and reap it; returns its pid. wstatus is an int: its first byte is the signal that ended it, the second its exit status */
  wait4(
    pid: Arg<'wait4', 0>,
    wstatus: Arg<'wait4', 1>,
    options: Arg<'wait4', 2>,
    rusage: Arg<'wait4', 3>,
  ): Later
  /** pidfd_open(2): a descriptor that stands for a process */
  pidfd_open(pid: Arg<'pidfd_open', 0>, flags: Arg<'pidfd_open', 1>): Later
  /** pidfd_getfd(2): a copy of another process's descriptor */
  pidfd_getfd(
    pidfd: Arg<'pidfd_getfd', 0>,
    targetfd: Arg<'pidfd_getfd', 1>,
    flags: Arg<'pidfd_getfd', 2>,
  ): Later
  /** pidfd_send_signal(2): send a signal to exactly that process */
  pidfd_send_signal(
    pidfd: Arg<'pidfd_send_signal', 0>,
    sig: Arg<'pidfd_send_signal', 1>,
    info: Arg<'pidfd_send_signal', 2>,
    flags: Arg<'pidfd_send_signal', 3>,
  ): Later
  /** poll(2) through ppoll(2): wait until a descriptor is ready; fds is an array of struct pollfd */
  ppoll(
    fds: Arg<'ppoll', 0>,
    nfds: Arg<'ppoll', 1>,
    timeout: Arg<'ppoll', 2>,
    sigmask: Arg<'ppoll', 3>,
    size: Arg<'ppoll', 4>,
  ): Later
  /** eventfd(2) through eventfd2(2): a counter that another process, or the kernel, raises, and that a read returns */
  eventfd2(initval: Arg<'eventfd2', 0>, flags: Arg<'eventfd2', 1>): Later
  /** ptrace(2): follow another process, and change what it does */
  ptrace(op: Arg<'ptrace', 0>, pid: Arg<'ptrace', 1>, addr: Arg<'ptrace', 2>, data: Arg<'ptrace', 3>): Later
  /** memfd_create(2): a file that is only in memory */
  memfd_create(name: Arg<'memfd_create', 0>, flags: Arg<'memfd_create', 1>): Later
  /** finit_module(2): load a module into the kernel */
  finit_module(
    fd: Arg<'finit_module', 0>,
    params: Arg<'finit_module', 1>,
    flags: Arg<'finit_module', 2>,
  ): Later
  /** unshare(2): leave a shared namespace for a new one */
  unshare(flags: Arg<'unshare', 0>): Later
  /** setns(2): join namespaces; of a process where fd is a pidfd */
  setns(fd: Arg<'setns', 0>, nstype: Arg<'setns', 1>): Later
  /** sethostname(2): name the uts namespace */
  sethostname(name: Arg<'sethostname', 0>, len: Arg<'sethostname', 1>): Later
  /** setdomainname(2): name the uts namespace's NIS domain */
  setdomainname(name: Arg<'setdomainname', 0>, len: Arg<'setdomainname', 1>): Later
  /** msgget(2): make or find a System V message queue */
  msgget(key: Arg<'msgget', 0>, msgflg: Arg<'msgget', 1>): Later
  /** mount(2): attach a file system, bind a directory elsewhere, or change how mounts propagate */
  mount(
    source: Arg<'mount', 0>,
    target: Arg<'mount', 1>,
    type: Arg<'mount', 2>,
    flags: Arg<'mount', 3>,
    data: Arg<'mount', 4>,
  ): Later
  /** umount2(2): detach a mount */
  umount2(target: Arg<'umount2', 0>, flags: Arg<'umount2', 1>): Later
  /** pivot_root(2): swap the root mount; the old one comes to lie on put_old */
  pivot_root(new_root: Arg<'pivot_root', 0>, put_old: Arg<'pivot_root', 1>): Later
  /** chroot(2): change what this process's paths start from */
  chroot(path: Arg<'chroot', 0>): Later
  /** fsopen(2): begin to make a file system */
  fsopen(fsname: Arg<'fsopen', 0>, flags: Arg<'fsopen', 1>): Later
  /** fsconfig(2): set an option of a file system, or make it, or change it */
  fsconfig(
    fd: Arg<'fsconfig', 0>,
    cmd: Arg<'fsconfig', 1>,
    key: Arg<'fsconfig', 2>,
    value: Arg<'fsconfig', 3>,
    aux: Arg<'fsconfig', 4>,
  ): Later
  /** fsmount(2): a descriptor for a mount of a file system, which is attached nowhere */
  fsmount(fd: Arg<'fsmount', 0>, flags: Arg<'fsmount', 1>, attr_flags: Arg<'fsmount', 2>): Later
  /** open_tree(2): a descriptor for a mount, or for a copy of it */
  open_tree(dirfd: Arg<'open_tree', 0>, path: Arg<'open_tree', 1>, flags: Arg<'open_tree', 2>): Later
  /** mount_setattr(2): change the attributes of a mount; attr is a struct mount_attr of 32 bytes */
  mount_setattr(
    dirfd: Arg<'mount_setattr', 0>,
    path: Arg<'mount_setattr', 1>,
    flags: Arg<'mount_setattr', 2>,
    attr: Arg<'mount_setattr', 3>,
    size: Arg<'mount_setattr', 4>,
  ): Later
  /** move_mount(2): attach a mount that a descriptor holds */
  move_mount(
    from_dirfd: Arg<'move_mount', 0>,
    from: Arg<'move_mount', 1>,
    to_dirfd: Arg<'move_mount', 2>,
    to: Arg<'move_mount', 3>,
    flags: Arg<'move_mount', 4>,
  ): Later
  /** setgroups(2): set the supplementary groups */
  setgroups(size: Arg<'setgroups', 0>, list: Arg<'setgroups', 1>): Later
  /** setresgid(2): set real, effective and saved group */
  setresgid(rgid: Arg<'setresgid', 0>, egid: Arg<'setresgid', 1>, sgid: Arg<'setresgid', 2>): Later
  /** setresuid(2): set real, effective and saved user */
  setresuid(ruid: Arg<'setresuid', 0>, euid: Arg<'setresuid', 1>, suid: Arg<'setresuid', 2>): Later
  /** capset(2): set the thread's capabilities */
  capset(header: Arg<'capset', 0>, data: Arg<'capset', 1>): Later
  /** seccomp(2): install a filter over all further system calls */
  seccomp(op: Arg<'seccomp', 0>, flags: Arg<'seccomp', 1>, args: Arg<'seccomp', 2>): Later
  /** keyctl(2): use the keys that the kernel keeps for a process; with KEYCTL_JOIN_SESSION_KEYRING and 0 it gets an empty session keyring */
  keyctl(op: Arg<'keyctl', 0>, arg2: Arg<'keyctl', 1>, arg3: Arg<'keyctl', 2>): Later
  /** bpf(2): load a program into the kernel, or attach one; attr is given in pieces, a pointer as {at: bytes} */
  bpf(cmd: Arg<'bpf', 0>, attr: Arg<'bpf', 1>, size: Arg<'bpf', 2>): Later
  /** socket(2): make an endpoint, in the caller's network namespace */
  socket(domain: Arg<'socket', 0>, type: Arg<'socket', 1>, protocol: Arg<'socket', 2>): Later
  /** socketpair(2): two connected endpoints; sv receives two 32-bit descriptors */
  socketpair(
    domain: Arg<'socketpair', 0>,
    type: Arg<'socketpair', 1>,
    protocol: Arg<'socketpair', 2>,
    sv: Arg<'socketpair', 3>,
  ): Later
  /** setsockopt(2) */
  setsockopt(
    fd: Arg<'setsockopt', 0>,
    level: Arg<'setsockopt', 1>,
    optname: Arg<'setsockopt', 2>,
    optval: Arg<'setsockopt', 3>,
    optlen: Arg<'setsockopt', 4>,
  ): Later
  /** bind(2): give a socket its address */
  bind(fd: Arg<'bind', 0>, addr: Arg<'bind', 1>, addrlen: Arg<'bind', 2>): Later
  /** listen(2): accept connections on a socket */
  listen(fd: Arg<'listen', 0>, backlog: Arg<'listen', 1>): Later
  /** accept4(2): take the next connection that was made to a listening socket */
  accept4(
    fd: Arg<'accept4', 0>,
    addr: Arg<'accept4', 1>,
    addrlen: Arg<'accept4', 2>,
    flags: Arg<'accept4', 3>,
  ): Later
  /** connect(2): connect a socket */
  connect(fd: Arg<'connect', 0>, addr: Arg<'connect', 1>, addrlen: Arg<'connect', 2>): Later
  /** shutdown(2): end one direction of a connection, or both */
  shutdown(sockfd: Arg<'shutdown', 0>, how: Arg<'shutdown', 1>): Later
  /** getsockname(2): a socket's own address */
  getsockname(fd: Arg<'getsockname', 0>, addr: Arg<'getsockname', 1>, addrlen: Arg<'getsockname', 2>): Later
  /** sendto(2): send a datagram */
  sendto(
    fd: Arg<'sendto', 0>,
    buf: Arg<'sendto', 1>,
    len: Arg<'sendto', 2>,
    flags: Arg<'sendto', 3>,
    addr: Arg<'sendto', 4>,
    addrlen: Arg<'sendto', 5>,
  ): Later
  /** sendmsg(2): send a message, which may carry descriptors (SCM_RIGHTS); msg is a struct msghdr */
  sendmsg(fd: Arg<'sendmsg', 0>, msg: Arg<'sendmsg', 1>, flags: Arg<'sendmsg', 2>): Later
  /** recvfrom(2): receive a datagram */
  recvfrom(
    fd: Arg<'recvfrom', 0>,
    buf: Arg<'recvfrom', 1>,
    len: Arg<'recvfrom', 2>,
    flags: Arg<'recvfrom', 3>,
    addr: Arg<'recvfrom', 4>,
    addrlen: Arg<'recvfrom', 5>,
  ): Later
}
