import { existsSync, readFileSync } from 'node:fs'
import { CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER } from '../syscalls/constants.ts'
import { flag, lacksSysAdmin, NEEDS_ROOT, type Rule, say, when } from '../syscalls/rule.ts'
import type { Diagnosis } from '../syscalls/syscall-error.ts'

const knob = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined)
const cloneFlags = (args: readonly unknown[]) => BigInt((args[0] as { flags: number }).flags)

/** user_namespaces(7): a process cannot take an id that is not mapped. */
const notMapped = (file: string) =>
  say(
    `that id is not in the map of its user namespace: /proc/<pid>/${file} was not written yet, or lacks it`,
    `write ${file} while the child waits at its gate, before it takes that id`,
  )

/** Why the kernel refuses to make a process, to give it namespaces, ids or a program: the ERRORS of section 2, kernel/fork.c. */
export const processCauses: Record<string, Rule[]> = {
  'clone3 EPERM': [
    args => userNamespaceRefused(cloneFlags(args)),
    when(
      args => (cloneFlags(args) & BigInt(CLONE_NEWUSER)) === 0n && lacksSysAdmin(),
      'every namespace but user needs CAP_SYS_ADMIN',
      NEEDS_ROOT,
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
      'before Linux 6.1, a child that shares our memory cannot have a time namespace',
      'leave the time namespace out of the spec on this kernel',
    ),
    say(
      'these flags exclude each other, or this kernel lacks one of these namespaces',
      'see ls /proc/self/ns for those it has',
    ),
  ],
  'clone3 ENOSYS': [
    say(
      'clone3 is missing or refused: a kernel before 5.3, or a seccomp filter',
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
  'setns EPERM': [say('joining needs CAP_SYS_ADMIN in the user namespace that owns the target', NEEDS_ROOT)],
  'setns EINVAL': [
    when(
      args => flag(args, CLONE_NEWUSER | CLONE_NEWPID, 1),
      'a process cannot join its current user namespace, nor a pid namespace outside its own',
      'leave those out that are the same already: compare /proc/self/ns with /proc/<pid>/ns',
    ),
  ],
  'setresuid EINVAL': [notMapped('uid_map')],
  'setresgid EINVAL': [notMapped('gid_map')],
  'setns ESRCH': [say('the process has ended', 'look at minilab ps')],
  'sethostname EPERM': [
    say(
      'the host name belongs to the uts namespace, and we have no rights over it',
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

/** Distributions restrict unprivileged user namespaces in three different ways. */
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
