import { existsSync, readFileSync } from 'node:fs'
import { diagnoseCgroup } from '../cgroup/cgroup-causes.ts'
import { CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER, MS_BIND, MS_REMOUNT } from './constants.ts'
import { errnoName } from '../../common/errno.ts'
import { mountinfo, mountOf } from '../mount/mountinfo.ts'
import { namespaceInode, status } from '../process/procfs.ts'
import { rootCauses } from '../mount/root-causes.ts'
import { did, flag, type Rule, say, when } from './rule.ts'
import { OFFSETS_REFUSED } from '../process/time-offsets.ts'
import type { Diagnosis } from './syscall-error.ts'
import type { Op } from '../tape/tape.ts'

type Args = readonly unknown[]

/**
 * Why the kernel refused a call, deduced from its arguments, from the calls before it on the same tape, and from the
 * state of the machine. Undefined where we would only be guessing.
 */
export function diagnose(
  call: string,
  args: Args,
  errno: number,
  earlier: readonly Op[] = [],
): Diagnosis | undefined {
  const name = errnoName(errno)
  const rules = [rootCauses, causes].flatMap(table => table[`${call} ${name}`] ?? [])
  for (const rule of name === 'EPERM' ? [dropped, ...rules] : rules) {
    const found = rule(args, earlier)
    if (found) return found
  }
  return undefined
}

/** What a child has taken from itself it cannot use any more. */
const dropped = when(
  (_, earlier) => did('capset', earlier) || did('seccomp', earlier),
  'capset or seccomp, earlier on the same tape, took away the right to it',
  'make this call before: rights are dropped when nothing needs them any more',
)
const missing = (path: unknown) => typeof path === 'string' && !existsSync(path)
const knob = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined)
const cloneFlags = (args: Args) => BigInt((args[0] as { flags: number }).flags)
const lacksSysAdmin = () => (BigInt('0x' + (status('self').CapEff ?? '0')) & (1n << 21n)) === 0n

/** The directories that an overlay mount names: Documentation/filesystems/overlayfs.rst. */
const overlayFolders = (data: unknown) =>
  [...String(data).matchAll(/(?:lower|upper|work)dir=([^,]*)/g)].flatMap(([, paths = '']) => paths.split(':'))

const needRoot = 'run it with sudo, or with --rootless: a user namespace gives you the rights over its own'

// The calls that beginners trip over. Sources: the ERRORS sections of section 2 man pages, fs/namespace.c, kernel/fork.c.
/** user_namespaces(7): an id that has no other outside cannot be taken. */
const notMapped = (file: string) =>
  say(
    `that id is not in the map of its user namespace: /proc/<pid>/${file} was not written yet, or lacks it`,
    `write ${file} while the child waits at its gate, before it becomes somebody`,
  )

const causes: Record<string, Rule[]> = {
  'mount EPERM': [
    when(
      ([, , type]) =>
        type === 'proc' &&
        mountinfo().some(
          m => m.target.startsWith('/proc/') && m.type !== 'binfmt_misc' && m.type !== 'autofs',
        ),
      'parts of /proc are covered by other mounts here (we seem to be inside a container), so a user namespace may not mount an uncovered one',
      'run on a machine or VM of its own, or start this container with an unmasked /proc (docker: --security-opt systempaths=unconfined)',
    ),
    when(
      ([, , type]) => type === 'sysfs' && !mountinfo().some(m => m.type === 'sysfs' && m.target === '/sys'),
      '/sys is not mounted here, and a user namespace may mount only a file system that is there already',
      'sudo mount -t sysfs sysfs /sys',
    ),
    when(
      ([, , type]) => type === 'sysfs',
      'sysfs belongs to a network namespace, and this user namespace does not own the one we are in',
      'ask for a network namespace too (CLONE_NEWNET), or bind-mount the host’s /sys read-only',
    ),
    when(
      (args, earlier) => flag(args, MS_REMOUNT, 3) && !did('mount', earlier, a => a[1] === args[1]),
      'a remount may not drop flags (nosuid, nodev, noexec …) that came from a more privileged mount namespace',
      'keep the flags that /proc/self/mountinfo shows for this mount',
    ),
    when(
      lacksSysAdmin,
      'mounting needs CAP_SYS_ADMIN in the user namespace that owns the mount namespace',
      needRoot,
    ),
    say(
      'the mount namespace belongs to another user namespace than the one that the call is made in',
      'ask for both at once: CLONE_NEWUSER and CLONE_NEWNS',
    ),
  ],
  'mount ENOENT': [
    ([source, target, type, , data], earlier) => {
      if (did('pivot_root', earlier) || did('chroot', earlier)) return undefined // other paths than ours
      if (missing(target))
        return { cause: `there is no ${String(target)} to mount on`, remedy: `mkdir -p ${String(target)}` }
      if (typeof source === 'string' && source.startsWith('/') && missing(source))
        return { cause: `there is no ${source}`, remedy: `mkdir -p ${source}, or correct the source` }
      const folder = type === 'overlay' && overlayFolders(data).find(missing)
      if (!folder) return undefined
      return {
        cause: `there is no ${folder}, one of overlay’s directories`,
        remedy: `mkdir -p ${folder}, or correct lowerdir, upperdir and workdir`,
      }
    },
  ],
  'mount EINVAL': [
    when(
      args => args[2] === 'overlay',
      'overlay refused its options: lowerdir and upperdir must exist and upperdir may not itself lie on overlay; workdir must be empty and on the file system of upperdir',
      'read the reason in dmesg | tail',
    ),
    when(
      args => flag(args, MS_BIND, 3) && flag(args, MS_REMOUNT, 3),
      'only a mount point can be remounted',
      'bind-mount it on itself first',
    ),
  ],
  'mount EBUSY': [
    when(
      ([, , type]) => type === 'proc' || type === 'sysfs' || type === 'cgroup2',
      'the same file system is mounted exactly there already',
      'leave this mount out',
    ),
  ],
  'pivot_root EINVAL': [
    (args, earlier) => {
      const root = args[0]
      if (typeof root !== 'string') return undefined
      const bound = did('mount', earlier, a => a[1] === root || (root === '.' && flag(a, MS_BIND, 3)))
      if (!bound && (root === '.' || mountOf(root)?.target !== root))
        return {
          cause: 'the new root is not a mount point',
          remedy: 'bind-mount it on itself first: mount(root, root, NULL, MS_BIND|MS_REC, NULL)',
        }
      if (root === '.' && !did('chdir', earlier, () => true) && !did('fchdir', earlier, () => true))
        return {
          cause: 'the process does not stand in the new root, so “.” is another directory',
          remedy: 'chdir to the new root before pivot_root(".", ".")',
        }
      if (!did('mount', earlier, a => flag(a, (1 << 18) | (1 << 19), 3)))
        return {
          cause: 'the root mount propagates to others (shared), which pivot_root refuses',
          remedy: 'make it private first: mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)',
        }
      return {
        cause: 'put_old must lie at or under new_root, and the current root must not be the initial ramfs',
        remedy: 'call pivot_root(".", ".") from inside the new root; on an initramfs use switch_root',
      }
    },
  ],
  'pivot_root EBUSY': [
    say(
      'the new root or put_old is the current root already, or not a mount point of its own',
      'bind-mount it on itself first',
    ),
  ],
  'pivot_root EPERM': [
    when(lacksSysAdmin, 'pivot_root needs CAP_SYS_ADMIN over the mount namespace', needRoot),
  ],
  'chroot EPERM': [say('chroot needs CAP_SYS_CHROOT in this user namespace', needRoot)],
  'umount2 EINVAL': [
    say(
      'the target is not a mount point, or its mount came along locked from a more privileged mount namespace',
      'unmount the whole tree it came with (MNT_DETACH on its top) instead',
    ),
  ],
  'umount2 EBUSY': [
    say(
      'something still uses the mount: an open file, a working directory',
      'unmount it lazily: umount2(target, MNT_DETACH)',
    ),
  ],
  'clone3 EPERM': [
    args => userNamespaceRefused(cloneFlags(args)),
    when(
      args => (cloneFlags(args) & BigInt(CLONE_NEWUSER)) === 0n && lacksSysAdmin(),
      'every namespace but user needs CAP_SYS_ADMIN',
      needRoot,
    ),
  ],
  'clone3 ENOSPC': [
    () => ({
      cause: `a limit on namespaces is reached (user.max_user_namespaces = ${knob('/proc/sys/user/max_user_namespaces')})`,
      remedy: 'sudo sysctl user.max_user_namespaces=15000',
    }),
  ],
  'clone3 EINVAL': [
    when(
      args => (cloneFlags(args) & BigInt(CLONE_NEWTIME)) !== 0n,
      'kernels before 6.1 give no time namespace to a child that shares our memory',
      'leave the time namespace out of the spec on this kernel',
    ),
    say(
      'these flags exclude each other, or this kernel lacks one of these namespaces',
      'see ls /proc/self/ns for those it has',
    ),
  ],
  'clone3 ENOSYS': [
    say(
      'clone3 is missing or filtered: a kernel before 5.3, or a seccomp filter around us',
      'run outside the container, on Linux 5.11 or later',
    ),
  ],
  'clone3 EAGAIN': [say('the limit on processes is reached', 'see ulimit -u and pids.max of this cgroup')],
  'unshare EINVAL': [
    when(
      args => flag(args, CLONE_NEWUSER),
      'a process with several threads, such as Node, cannot unshare its user namespace',
      'make a child in the new namespace instead: clone3 with CLONE_NEWUSER',
    ),
  ],
  'setns EPERM': [say('joining needs CAP_SYS_ADMIN in the user namespace that owns the target', needRoot)],
  'setns EINVAL': [
    when(
      args => flag(args, CLONE_NEWUSER | CLONE_NEWPID, 1),
      'one may not join the user namespace one is in already, nor a pid namespace outside one’s own',
      'leave those out that are the same already: compare /proc/self/ns with /proc/<pid>/ns',
    ),
  ],
  'setresuid EINVAL': [notMapped('uid_map')],
  'setresgid EINVAL': [notMapped('gid_map')],
  'setns ESRCH': [say('the process has gone', 'look at minilab ps')],
  'sethostname EPERM': [
    say(
      'the hostname belongs to the uts namespace, and that one is not ours',
      'ask for CLONE_NEWUTS; without root also for CLONE_NEWUSER',
    ),
  ],
  'execve ENOENT': [
    say(
      'no such file there, or the interpreter or loader that it names does not exist',
      'look at its first line (#!) or at ldd inside the container',
    ),
  ],
  'execve EACCES': [
    say('it is a directory, not executable, or on a mount with noexec', 'chmod +x it, or name a program'),
  ],
  'execve ENOEXEC': [
    say(
      'the file is neither a program for this architecture nor a script with #!',
      'give it a first line such as #!/bin/sh',
    ),
  ],
  'msgget ENOSYS': [say('this kernel has no System V queues', 'leave this experiment out')],
}

/** Distributions restrict unprivileged user namespaces by three different knobs. */
function userNamespaceRefused(flags: bigint): Diagnosis | undefined {
  if ((flags & BigInt(CLONE_NEWUSER)) === 0n) return undefined
  const cause = 'this system forbids user namespaces to ordinary users'
  if (knob('/proc/sys/kernel/unprivileged_userns_clone') === '0')
    return { cause, remedy: 'sudo sysctl kernel.unprivileged_userns_clone=1' }
  if (knob('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1')
    return {
      cause: `${cause} (AppArmor)`,
      remedy: 'sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0',
    }
  if (knob('/proc/sys/user/max_user_namespaces') === '0')
    return { cause, remedy: 'sudo sysctl user.max_user_namespaces=15000' }
  return {
    cause: `${cause}, or we are in a chroot or a container`,
    remedy: 'run it on the machine itself, or with sudo',
  }
}

/** Writes to the kernel's control files fail with bare numbers too; `path` decides what they mean. */
export function diagnoseWrite(path: string, code: string, value: string): Diagnosis | undefined {
  const refused = code === 'EPERM' ? mapRefused(path) : diagnoseCgroup(path, code, value)
  if (refused) return refused
  for (const [pattern, codes, cause, remedy] of writes) {
    if (pattern.test(path) && codes.includes(code)) return { cause, remedy }
  }
  return undefined
}

/** What can be seen of why a map is refused: whose namespace it is, and whether it has one. */
function mapRefused(path: string): Diagnosis | undefined {
  const [, who] = /^\/proc\/(\d+|self)\/[ug]id_map$/.exec(path) ?? []
  if (!who || !existsSync(path)) return undefined
  const pid = who === 'self' ? who : Number(who)
  if (namespaceInode(pid, 'user') === namespaceInode('self', 'user'))
    return {
      cause: 'that process is in the same user namespace as we are, which has its map already',
      remedy: 'clone it with CLONE_NEWUSER, and write the map of the new process, not ours',
    }
  return readFileSync(path, 'utf8').trim()
    ? {
        cause: 'a map is written once, and this one is there already',
        remedy: 'write all its lines in one write',
      }
    : undefined
}

const writes: [path: RegExp, codes: string[], cause: string, remedy: string][] = [
  [
    /\/[ug]id_map$/,
    ['EPERM'],
    'without root a map may only send one id to your own, and gid_map only after "deny" is in setgroups',
    'write setgroups "deny" first, then "0 <your id> 1"; for more ids install uidmap (newuidmap)',
  ],
  [
    /\/[ug]id_map$/,
    ['EINVAL'],
    'a line of a map is "inside outside count", without overlap',
    'correct the mapping',
  ],
  [
    /timens_offsets$/,
    ['EACCES'],
    `the clocks of a time namespace are settled when the first process enters it; ${OFFSETS_REFUSED.reason}`,
    OFFSETS_REFUSED.remedy,
  ],
  [
    /cgroup\.procs$/,
    ['EACCES', 'EPERM'],
    'moving a process needs write access to the cgroup it leaves, the one it joins and their common ancestor',
    'systemd-run --user --scope -p Delegate=yes minilab …, or sudo',
  ],
  [
    /cgroup\.procs$/,
    ['EBUSY'],
    'on cgroup v2 a cgroup that hands controllers to its children may hold no processes itself',
    'join a leaf below it',
  ],
  [/cgroup\.procs$/, ['ESRCH'], 'the process has gone', 'look at minilab ps'],
  [
    /cgroup\.subtree_control$/,
    ['EBUSY'],
    'processes still sit in this cgroup, and only an empty one may hand controllers down (no internal processes)',
    'move them into a leaf first',
  ],
  [
    /cgroup\.subtree_control$/,
    ['ENOENT', 'EINVAL'],
    'the parent does not hand down this controller',
    'cat cgroup.controllers shows what can be enabled here',
  ],
  [
    /\/sys\/fs\/cgroup\//,
    ['EACCES', 'EPERM', 'EROFS'],
    'this cgroup is not delegated to you',
    'systemd-run --user --scope -p Delegate=yes minilab …, or sudo',
  ],
  [
    /memory\.memsw\.limit_in_bytes$/,
    ['EINVAL'],
    'memory and swap together cannot be less than the limit of memory alone, which is none at first',
    'write memory.limit_in_bytes first',
  ],
  [
    /memory\.limit_in_bytes$/,
    ['EINVAL'],
    'the limit of memory alone cannot be more than memory.memsw.limit_in_bytes',
    'raise memory.memsw.limit_in_bytes first; the limit is a number of bytes',
  ],
  [
    /cpu\.(cfs_(quota|period)_us|max)$/,
    ['EINVAL'],
    'quota and period are in microseconds: each is at least 1000, and a period is at most 1000000',
    'write the numbers of the specification as they are',
  ],
  [
    /\/sys\/fs\/cgroup\//,
    ['EINVAL'],
    'the kernel does not accept this value',
    'see cgroups(7) and the controller’s documentation',
  ],
]
