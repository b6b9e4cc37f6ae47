import { type ValueOf, kindOf } from './argument-kinds.ts'

/**
 * Every system call that minilab makes, listed once. `name:kind` for each argument, in order; the kinds are in argument-kinds.ts, the
 * numbers in syscall-numbers.ts. The typed methods of `now` and of `Tape`, the encoding, the
 * strace-like printing and the dry run all derive from this table. Editors show the comment over an entry on `tape.` and `now.`.
 */
export const syscalls = {
  // files and descriptors
  /** read(2): read up to count bytes from a descriptor */
  read: ['fd:fd', 'buf:out', 'count:size'],
  /** write(2): write count bytes to a descriptor */
  write: ['fd:fd', 'buf:bytes', 'count:size'],
  /** readv(2): read into several pieces of memory, one after the other, at once */
  readv: ['fd:fd', 'iov:iovec', 'iovcnt:int'],
  /** writev(2): write several pieces of memory, one after the other, at once */
  writev: ['fd:fd', 'iov:iovec', 'iovcnt:int'],
  /** splice(2): move bytes between a pipe and another descriptor, without copying them to the process */
  splice: ['fd_in:fd', 'off_in:out?', 'fd_out:fd', 'off_out:out?', 'size:size', 'flags:flags:SPLICE_F_'],
  /** lseek(2): move the position of an open file; returns the new one */
  lseek: ['fd:fd', 'offset:int', 'whence:enum:SEEK_'],
  /** close(2): close a descriptor */
  close: ['fd:fd'],
  /** close_range(2): close descriptors first to last, or mark them close-on-exec */
  close_range: ['first:fd', 'last:fd', 'flags:flags:CLOSE_RANGE_'],
  /** dup3(2): make newfd a copy of oldfd */
  dup3: ['oldfd:fd', 'newfd:fd', 'flags:flags:O_CLOEXEC'],
  /** fcntl(2): change a property of a descriptor, such as close-on-exec, or lock a part of a file */
  fcntl: ['fd:fd', 'op:enum:F_', 'arg:int_or_buffer'],
  /** flock(2): lock a file against other processes that do the same */
  flock: ['fd:fd', 'op:flags:LOCK_'],
  /** pipe2(2): make a pipe; pipefd receives two 32-bit descriptors */
  pipe2: ['pipefd:out', 'flags:flags:O_CLOEXEC'],
  /** ioctl(2): a request to a device, with a number or a buffer as its argument */
  ioctl: ['fd:fd', 'op:enum:TIOC|TC', 'arg:int_or_buffer'],
  /** openat(2): open a file */
  openat: ['dirfd:dirfd', 'path:path', 'flags:flags:O_', 'mode:octal'],
  /** openat2(2): open a file and say how its path may be resolved */
  openat2: ['dirfd:dirfd', 'path:path', 'how:open_how', 'size:size'],
  /** mkdirat(2): make a directory */
  mkdirat: ['dirfd:dirfd', 'path:path', 'mode:octal'],
  /** mknodat(2): make a device node, a fifo or a plain file */
  mknodat: ['dirfd:dirfd', 'path:path', 'mode:octal', 'dev:dev'],
  /** symlinkat(2): make a symbolic link at linkpath that says target */
  symlinkat: ['target:string', 'newdirfd:dirfd', 'linkpath:path'],
  /** unlinkat(2): remove a name */
  unlinkat: ['dirfd:dirfd', 'path:path', 'flags:flags:AT_REMOVEDIR'],
  /** linkat(2): give a file a second name */
  linkat: ['olddirfd:dirfd', 'oldpath:path', 'newdirfd:dirfd', 'newpath:path', 'flags:flags:AT_'],
  /** fchmodat(2): change a file's mode */
  fchmodat: ['dirfd:dirfd', 'path:path', 'mode:octal'],
  /** fchownat(2): change a file's owner */
  fchownat: ['dirfd:dirfd', 'path:path', 'owner:int', 'group:int', 'flags:flags:AT_'],
  /** utimensat(2): set a file's times */
  utimensat: ['dirfd:dirfd', 'path:path', 'times:times', 'flags:flags:AT_'],
  /** newfstatat(2): a file's inode, as struct stat (144 bytes on x86-64, 128 on arm64) */
  newfstatat: ['dirfd:dirfd', 'path:path', 'statbuf:out', 'flags:flags:AT_'],
  /** statx(2): a file's inode, as struct statx (256 bytes, the same on every architecture) */
  statx: ['dirfd:dirfd', 'path:path', 'flags:flags:AT_', 'mask:hex', 'statxbuf:out'],
  /** lsetxattr(2): set an extended attribute, not following a symbolic link */
  lsetxattr: ['path:path', 'name:string', 'value:bytes', 'size:size', 'flags:int'],
  /** lgetxattr(2): read an extended attribute, not following a symbolic link */
  lgetxattr: ['path:path', 'name:string', 'value:out', 'size:size'],
  /** llistxattr(2): list the names of extended attributes, each ended by a zero byte */
  llistxattr: ['path:path', 'list:out', 'size:size'],

  // the process
  /** clone3(2): make a child process, in new namespaces if the flags say so */
  clone3: ['args:clone_args', 'size:size'],
  /** clone(2): make a child process; 0 as its stack: it uses a copy of the caller's, or the caller's own */
  clone: ['flags:clone_flags', 'stack:hex', 'parent_tid:out?', 'arg4:hex', 'arg5:hex'],
  /** execve(2): become another program */
  execve: ['path:path', 'argv:argv', 'envp:envp'],
  /** execveat(2): become a program that is open as a descriptor */
  execveat: ['dirfd:dirfd', 'path:path', 'argv:argv', 'envp:envp', 'flags:flags:AT_'],
  /** exit_group(2): end the process */
  exit_group: ['status:int'],
  /** kill(2): send a signal */
  kill: ['pid:pid', 'sig:int'],
  /** rt_sigaction(2): what a signal does: its default, or nothing; size is that of a signal mask, 8 */
  rt_sigaction: ['sig:signal', 'act:sigaction?', 'oldact:out?', 'size:size'],
  /** rt_sigprocmask(2): which signals wait until they are unblocked; size is that of a signal mask, 8 */
  rt_sigprocmask: ['how:enum:SIG_', 'set:sigset', 'oldset:out?', 'size:size'],
  /** rt_sigtimedwait(2): wait for one of the signals, which are blocked; returns its number */
  rt_sigtimedwait: ['set:sigset', 'info:out?', 'timeout:hex', 'size:size'],
  /** getrandom(2): fill a buffer with random bytes */
  getrandom: ['buf:out', 'count:size', 'flags:flags:GRND_'],
  /** clock_gettime(2): the time of a clock, as struct timespec: seconds and nanoseconds, 16 bytes */
  clock_gettime: ['clockid:enum:CLOCK_', 'tp:out'],
  /** getpid(2): the caller's process id, as its own pid namespace counts */
  getpid: [],
  /** kcmp(2): whether two processes share something; for KCMP_FILE, whether two descriptors are one open file */
  kcmp: ['pid1:pid', 'pid2:pid', 'type:enum:KCMP_', 'idx1:int', 'idx2:int'],
  /** setsid(2): start a session, without a terminal */
  setsid: [],
  /** setpgid(2): put a process into a process group; 0: the caller, into a group of its own */
  setpgid: ['pid:pid', 'pgid:pid'],
  /** personality(2): the execution domain, for programs of another kind of system */
  personality: ['persona:hex'],
  /** sched_setattr(2): the policy by which a process gets the CPU, and its values, as struct sched_attr */
  sched_setattr: ['pid:pid', 'attr:bytes', 'flags:int'],
  /** ioprio_set(2): the priority of a process's input and output, a class and a value in it */
  ioprio_set: ['which:int', 'who:int', 'ioprio:hex'],
  /** umask(2): the mode bits that new files do not get */
  umask: ['mask:octal'],
  /** chdir(2): change the working directory */
  chdir: ['path:path'],
  /** fchdir(2): change the working directory to an open one */
  fchdir: ['fd:fd'],
  /** prctl(2): change a property of this process */
  prctl: ['op:enum:PR_', 'arg2:int', 'arg3:int', 'arg4:int', 'arg5:int'],
  /** prlimit64(2): set a resource limit */
  prlimit64: ['pid:pid', 'resource:enum:RLIMIT_', 'new_limit:rlimit?', 'old_limit:out?'],
  /** waitid(2): wait for a child; infop is a siginfo_t of 128 bytes */
  waitid: ['idtype:enum:P_', 'id:int', 'infop:out?', 'options:flags:W', 'rusage:out?'],
  /** wait4(2): wait for a child, and reap it; returns its pid. wstatus is an int: its first byte is the signal that ended it, the second its exit status */
  wait4: ['pid:pid', 'wstatus:out?', 'options:flags:W', 'rusage:out?'],
  /** pidfd_open(2): a descriptor that stands for a process */
  pidfd_open: ['pid:pid', 'flags:int'],
  /** pidfd_getfd(2): a copy of another process's descriptor */
  pidfd_getfd: ['pidfd:fd', 'targetfd:fd', 'flags:int'],
  /** pidfd_send_signal(2): send a signal to exactly that process */
  pidfd_send_signal: ['pidfd:fd', 'sig:int', 'info:hex', 'flags:int'],
  /** poll(2) through ppoll(2): wait until a descriptor is ready; fds is an array of struct pollfd */
  ppoll: ['fds:out', 'nfds:int', 'timeout:hex', 'sigmask:hex', 'size:size'],
  /** eventfd(2) through eventfd2(2): a counter that another process, or the kernel, raises, and that a read returns */
  eventfd2: ['initval:int', 'flags:flags:O_CLOEXEC'],
  /** ptrace(2): follow another process, and change what it does */
  ptrace: ['op:enum:PTRACE_', 'pid:pid', 'addr:hex', 'data:hex'],
  /** memfd_create(2): a file that is only in memory */
  memfd_create: ['name:string', 'flags:hex'],
  /** finit_module(2): load a module into the kernel */
  finit_module: ['fd:fd', 'params:string', 'flags:int'],

  // namespaces
  /** unshare(2): leave a shared namespace for a new one */
  unshare: ['flags:flags:CLONE_'],
  /** setns(2): join namespaces; of a process where fd is a pidfd */
  setns: ['fd:fd', 'nstype:flags:CLONE_NEW'],
  /** sethostname(2): name the uts namespace */
  sethostname: ['name:string', 'len:size'],
  /** setdomainname(2): name the uts namespace's NIS domain */
  setdomainname: ['name:string', 'len:size'],
  /** msgget(2): make or find a System V message queue */
  msgget: ['key:hex', 'msgflg:hex'],

  // the root file system
  /** mount(2): attach a file system, bind a directory elsewhere, or change how mounts propagate */
  mount: ['source:path?', 'target:path', 'type:string?', 'flags:flags:MS_', 'data:string?'],
  /** umount2(2): detach a mount */
  umount2: ['target:path', 'flags:flags:MNT_'],
  /** pivot_root(2): swap the root mount; the old one comes to lie on put_old */
  pivot_root: ['new_root:path', 'put_old:path'],
  /** chroot(2): change what this process's paths start from */
  chroot: ['path:path'],
  /** fsopen(2): begin to make a file system */
  fsopen: ['fsname:string', 'flags:hex'],
  /** fsconfig(2): set an option of a file system, or make it, or change it */
  fsconfig: ['fd:fd', 'cmd:enum:FSCONFIG_', 'key:string?', 'value:string?', 'aux:int'],
  /** fsmount(2): a descriptor for a mount of a file system, which is attached nowhere */
  fsmount: ['fd:fd', 'flags:hex', 'attr_flags:flags:MOUNT_ATTR_'],
  /** open_tree(2): a descriptor for a mount, or for a copy of it */
  open_tree: ['dirfd:dirfd', 'path:path', 'flags:flags:OPEN_TREE_|AT_'],
  /** mount_setattr(2): change the attributes of a mount; attr is a struct mount_attr of 32 bytes */
  mount_setattr: ['dirfd:dirfd', 'path:path', 'flags:flags:AT_', 'attr:bytes', 'size:size'],
  /** move_mount(2): attach a mount that a descriptor holds */
  move_mount: ['from_dirfd:dirfd', 'from:path', 'to_dirfd:dirfd', 'to:path', 'flags:flags:MOVE_MOUNT_'],

  // rights
  /** setgroups(2): set the supplementary groups */
  setgroups: ['size:size', 'list:uid_list'],
  /** setresgid(2): set real, effective and saved group */
  setresgid: ['rgid:int', 'egid:int', 'sgid:int'],
  /** setresuid(2): set real, effective and saved user */
  setresuid: ['ruid:int', 'euid:int', 'suid:int'],
  /** capset(2): set the thread's capabilities */
  capset: ['header:bytes', 'data:bytes'],
  /** seccomp(2): install a filter over all further system calls */
  seccomp: ['op:enum:SECCOMP_', 'flags:hex', 'args:sock_fprog'],
  /** keyctl(2): use the keys that the kernel keeps for a process; with KEYCTL_JOIN_SESSION_KEYRING and 0 it gets an empty session keyring */
  keyctl: ['op:enum:KEYCTL_', 'arg2:int', 'arg3:int'],
  /** bpf(2): load a program into the kernel, or attach one; attr is given in pieces, a pointer as {at: bytes} */
  bpf: ['cmd:enum:BPF_', 'attr:pieces', 'size:size'],

  // sockets
  /** socket(2): make an endpoint, in the caller's network namespace */
  socket: ['domain:enum:AF_', 'type:sock', 'protocol:int'],
  /** socketpair(2): two connected endpoints; sv receives two 32-bit descriptors */
  socketpair: ['domain:enum:AF_', 'type:sock', 'protocol:int', 'sv:out'],
  /** setsockopt(2) */
  setsockopt: ['fd:fd', 'level:enum:SOL_', 'optname:enum:SO_', 'optval:bytes', 'optlen:size'],
  /** bind(2): give a socket its address */
  bind: ['fd:fd', 'addr:sockaddr', 'addrlen:size'],
  /** listen(2): accept connections on a socket */
  listen: ['fd:fd', 'backlog:int'],
  /** accept4(2): take the next connection that was made to a listening socket */
  accept4: ['fd:fd', 'addr:sockaddr_out?', 'addrlen:out?', 'flags:flags:SOCK_CLOEXEC'],
  /** connect(2): connect a socket */
  connect: ['fd:fd', 'addr:sockaddr', 'addrlen:size'],
  /** shutdown(2): end one direction of a connection, or both */
  shutdown: ['sockfd:fd', 'how:enum:SHUT_'],
  /** getsockname(2): a socket's own address */
  getsockname: ['fd:fd', 'addr:sockaddr_out', 'addrlen:out'],
  /** sendto(2): send a datagram */
  sendto: ['fd:fd', 'buf:bytes', 'len:size', 'flags:flags:MSG_', 'addr:sockaddr?', 'addrlen:size'],
  /** sendmsg(2): send a message, which may carry descriptors (SCM_RIGHTS); msg is a struct msghdr */
  sendmsg: ['fd:fd', 'msg:pieces', 'flags:flags:MSG_'],
  /** recvfrom(2): receive a datagram */
  recvfrom: ['fd:fd', 'buf:out', 'len:size', 'flags:flags:MSG_', 'addr:sockaddr_out?', 'addrlen:out?'],
} as const satisfies Record<string, readonly `${string}:${string}`[]>

export type Syscalls = typeof syscalls
export type Call = keyof Syscalls

type Kinds<A extends readonly string[]> = {
  [I in keyof A]: A[I] extends `${string}:${infer K}` ? ValueOf<K> : never
}
/** The arguments of a call as TypeScript values. */
export type Args<C extends Call> = Kinds<Syscalls[C]>

/** Each argument of a call: its name and its kind. */
export const parameters = (call: Call) => parsed[call]

// computed once: a container's tape has some eighty calls
const parsed = Object.fromEntries(
  Object.entries(syscalls).map(([call, list]) => [
    call,
    list.map(parameter => {
      const colon = parameter.indexOf(':')
      return { name: parameter.slice(0, colon), kind: kindOf(parameter.slice(colon + 1)) }
    }),
  ]),
) as Record<Call, { name: string; kind: ReturnType<typeof kindOf> }[]>

/** The arguments as strace prints them. */
export function printArgs(call: Call, args: readonly unknown[]): string {
  return parameters(call)
    .map(({ kind }, i) => kind.print(args[i]))
    .join(', ')
}

/** What is wrong with arguments that were not type-checked; undefined if each is of its kind. */
export function misfit(call: Call, args: readonly unknown[]): string | undefined {
  const wanted = parameters(call)
  const at = wanted.findIndex(({ kind }, i) => !kind.form.fits(args[i]))
  const { name, kind } = wanted[at] ?? {}
  if (kind) return `${call} takes ${kind.form.description} as \`${name}\`, and got ${describe(args[at])}`
  if (args.length > wanted.length)
    return `${call} takes ${wanted.length} argument${wanted.length === 1 ? '' : 's'} (${wanted.map(({ name }) => name).join(', ')}), and got ${args.length}`
  return undefined
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value instanceof Promise) return 'a promise: await it first'
  if (Array.isArray(value)) return 'a list'
  if (value === null || typeof value === 'number') return String(value)
  return typeof value === 'string'
    ? JSON.stringify(value.slice(0, 40))
    : `a value of the type ${typeof value}`
}
