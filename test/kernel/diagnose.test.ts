import { mkdirSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import * as bpf from '../../lib/kernel/seccomp/bpf.ts'
import * as c from '../../lib/kernel/syscalls/constants.ts'
import { syscallNumber } from '../../lib/kernel/syscalls/syscall-numbers.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'
import { isRoot } from './is-root.ts'
import { folder, refusal } from './replay.ts'
import { expectSaid, type Said } from './said.ts'

// Each mistake is really made and really refused, in a child with namespaces of its own: nothing of this machine is changed.

const { CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, MS_BIND, MS_PRIVATE, MS_REC, MS_REMOUNT, MS_SHARED } = c
const MOUNTS = CLONE_NEWUSER | CLONE_NEWNS

/** A mistake on a tape; `root` is an empty folder of the test's own. */
interface Mistake extends Said {
  flags?: number
  onlyAsRoot?: true
  record(tape: Tape, root: string): void
}

const bind = (tape: Tape, path: string) => tape.mount(path, path, null, MS_BIND | MS_REC, null)
const makePrivate = (tape: Tape) => tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)

function made(path: string): string {
  mkdirSync(path)
  return path
}

function script(path: string, content: string, mode = 0o755): string {
  writeFileSync(path, content, { mode })
  return path
}

const mistakes: Record<string, Mistake> = {
  'pivot_root into a plain directory': {
    record(tape, root) {
      makePrivate(tape)
      bind(tape, root)
      const folder = made(`${root}/new`)
      tape.pivot_root(folder, folder)
    },
    error: 'pivot_root EINVAL',
    cause: /^the new root is not a mount point$/,
    remedy: /bind-mount it on itself first: mount\(root, root, NULL, MS_BIND\|MS_REC, NULL\)/,
  },
  'the same with "."': {
    record(tape, root) {
      makePrivate(tape)
      tape.chdir(root)
      tape.pivot_root('.', '.')
    },
    error: 'pivot_root EINVAL',
    cause: /^the new root is not a mount point$/,
    remedy: /bind-mount it on itself first/,
  },
  'the same as root, without a user namespace': {
    flags: CLONE_NEWNS,
    onlyAsRoot: true,
    record(tape, root) {
      makePrivate(tape)
      tape.pivot_root(root, root)
    },
    error: 'pivot_root EBUSY',
    cause: /on the current root mount/,
    remedy: /bind-mount it on itself first/,
  },
  'pivot_root while mounts are shared': {
    record(tape, root) {
      tape.mount(null, '/', null, MS_REC | MS_SHARED, null)
      bind(tape, root)
      tape.pivot_root(root, root)
    },
    error: 'pivot_root EINVAL',
    cause: /propagates to others \(shared\)/,
    remedy: /make it private first: mount\(NULL, "\/", NULL, MS_REC\|MS_PRIVATE, NULL\)/,
  },
  'pivot_root with the old root elsewhere': {
    record(tape, root) {
      makePrivate(tape)
      const [folder, other] = [made(`${root}/new`), made(`${root}/old`)]
      bind(tape, folder)
      tape.mount('none', other, 'tmpfs', 0, null)
      tape.pivot_root(folder, other)
    },
    error: 'pivot_root EINVAL',
    cause: /put_old must lie at or under new_root/,
    remedy: /pivot_root\("\.", "\."\)/,
  },
  'a new /proc in a user namespace, when the old root is gone': {
    flags: MOUNTS | CLONE_NEWPID,
    record(tape, root) {
      made(`${root}/proc`)
      makePrivate(tape)
      bind(tape, root)
      tape.chdir(root)
      tape.pivot_root('.', '.')
      tape.umount2('.', c.MNT_DETACH)
      tape.mount('proc', '/proc', 'proc', 0, null)
    },
    error: 'mount EPERM',
    cause: /only while another, fully visible one is still mounted/,
    remedy: /mount proc on the new root before the old root is unmounted/,
  },
  'sysfs without a network namespace': {
    record: (tape, root) => tape.mount('sysfs', root, 'sysfs', 0, null),
    error: 'mount EPERM',
    cause: /does not own the one we are in/,
    remedy: /CLONE_NEWNET/,
  },
  'a mount in a user namespace alone': {
    flags: CLONE_NEWUSER,
    record: (tape, root) => tape.mount('none', root, 'tmpfs', 0, null),
    error: 'mount EPERM',
    // of an ordinary user we rather say that he is none
    cause: isRoot ? /belongs to a different user namespace/ : /needs CAP_SYS_ADMIN/,
    remedy: isRoot ? /CLONE_NEWUSER and CLONE_NEWNS/ : /--rootless/,
  },
  'a mount on nothing': {
    record: (tape, root) => tape.mount('none', `${root}/missing`, 'tmpfs', 0, null),
    error: 'mount ENOENT',
    cause: /^there is no \/.*\/missing to mount on$/,
    remedy: /^mkdir -p \/.*\/missing$/,
  },
  'a mount of nothing': {
    record: (tape, root) => tape.mount(`${root}/missing`, root, null, MS_BIND, null),
    error: 'mount ENOENT',
    cause: /^there is no \/.*\/missing$/,
    remedy: /^mkdir -p \/.*\/missing, or correct the source$/,
  },
  'an overlay whose lower directory is missing': {
    record(tape, root) {
      const [upper, work] = [made(`${root}/upper`), made(`${root}/work`)]
      const options = `lowerdir=${root}/missing,upperdir=${upper},workdir=${work}`
      tape.mount('overlay', root, 'overlay', 0, options)
    },
    error: 'mount ENOENT',
    cause: /^there is no \/.*\/missing, one of overlay's directories$/,
    remedy: /^mkdir -p \/.*\/missing/,
  },
  'an overlay without a work directory': {
    record(tape, root) {
      const [lower, upper] = [made(`${root}/lower`), made(`${root}/upper`)]
      tape.mount('overlay', root, 'overlay', 0, `lowerdir=${lower},upperdir=${upper}`)
    },
    error: 'mount EINVAL',
    cause: /overlay refused its options: .*workdir/,
    remedy: /dmesg/,
  },
  'a file system that the kernel does not know': {
    record: (tape, root) => tape.mount('none', root, 'minilabfs', 0, null),
    error: 'mount ENODEV',
    cause: /does not know the file system "minilabfs"/,
    remedy: /modprobe minilabfs; \/proc\/filesystems/,
  },
  'a directory mounted on a file': {
    record: (tape, root) => tape.mount(root, script(`${root}/file`, ''), null, MS_BIND, null),
    error: 'mount ENOTDIR',
    cause: /directory can only be mounted on a directory/,
    remedy: /same kind/,
  },
  'a remount of what is no mount': {
    record: (tape, root) => tape.mount(null, root, null, MS_BIND | MS_REMOUNT | c.MS_RDONLY, null),
    error: 'mount EINVAL',
    cause: /only a mount point can be remounted/,
    remedy: /bind-mount it on itself first/,
  },
  'the same sysfs twice': {
    flags: MOUNTS | c.CLONE_NEWNET,
    record(tape, root) {
      tape.mount('sysfs', root, 'sysfs', 0, null)
      tape.mount('sysfs', root, 'sysfs', 0, null)
    },
    error: 'mount EBUSY',
    cause: /already mounted there/,
    remedy: /leave this mount out/,
  },
  'umount of what is no mount': {
    record: (tape, root) => tape.umount2(root, 0),
    error: 'umount2 EINVAL',
    cause: /not a mount point, or .* locked/,
    remedy: /MNT_DETACH/,
  },
  'umount of where one stands': {
    record(tape, root) {
      tape.mount('none', root, 'tmpfs', 0, null)
      tape.chdir(root)
      tape.umount2(root, 0)
    },
    error: 'umount2 EBUSY',
    cause: /still uses the mount/,
    remedy: /MNT_DETACH/,
  },
  'a host name without a uts namespace': {
    flags: CLONE_NEWUSER,
    record: tape => tape.sethostname('minilab-test', 12),
    error: 'sethostname EPERM',
    cause: /uts namespace, and we have no rights over it/,
    remedy: /CLONE_NEWUTS/,
  },
  'joining the user namespace that one is in': {
    record: tape => tape.setns(tape.pidfd_open(tape.getpid(), 0), CLONE_NEWUSER),
    error: 'setns EINVAL',
    cause: /cannot join its current user namespace/,
    remedy: /compare \/proc\/self\/ns/,
  },
  'joining a process that is not ours to join': {
    flags: CLONE_NEWUSER,
    record: tape => tape.setns(tape.openat(c.AT_FDCWD, '/proc/self/ns/uts', c.O_RDONLY, 0), c.CLONE_NEWUTS),
    error: 'setns EPERM',
    cause: /CAP_SYS_ADMIN in the user namespace that owns the target/,
    remedy: /sudo/,
  },
  'a program that is not there': {
    record: tape => tape.execve('/minilab/missing', ['x'], []),
    error: 'execve ENOENT',
    cause: /no such file there, or the interpreter/,
    remedy: /first line \(#!\) or at ldd/,
  },
  'a script whose interpreter is not there': {
    record: (tape, root) => tape.execve(script(`${root}/script`, '#!/minilab/missing\n'), ['x'], []),
    error: 'execve ENOENT',
    cause: /no such file there, or the interpreter/,
    remedy: /first line \(#!\) or at ldd/,
  },
  'a program that nobody may execute': {
    record: (tape, root) => tape.execve(script(`${root}/script`, '#!/bin/sh\n', 0o644), ['x'], []),
    error: 'execve EACCES',
    cause: /directory, not executable, or on a mount with noexec/,
    remedy: /chmod \+x/,
  },
  'a directory as a program': {
    record: (tape, root) => tape.execve(root, ['x'], []),
    error: 'execve EACCES',
    cause: /directory, not executable, or on a mount with noexec/,
    remedy: /name a program/,
  },
  'text without #! as a program': {
    record: (tape, root) => tape.execve(script(`${root}/script`, 'echo hello\n'), ['x'], []),
    error: 'execve ENOEXEC',
    cause: /neither a program for this architecture nor a script with #!/,
    remedy: /#!\/bin\/sh/,
  },
  'a user namespace in a chroot': {
    record(tape, root) {
      tape.chroot(root)
      tape.become({ flags: c.CLONE_VM + c.CLONE_VFORK + CLONE_NEWUSER })
    },
    error: 'clone3 EPERM',
    cause: /forbids user namespaces to ordinary users, or we are in a chroot/,
    remedy: /on the machine itself/,
  },
  'clone3 behind a seccomp filter that does not know it': {
    record(tape) {
      const refuse = bpf.assemble([
        bpf.load(0), // struct seccomp_data: the system call's number comes first
        bpf.ifEqual(syscallNumber('clone3'), 'refuse', 'allow'),
        'refuse',
        bpf.ret(0x0005_0000 | 38), // SECCOMP_RET_ERRNO, ENOSYS
        'allow',
        bpf.ret(0x7fff_0000), // SECCOMP_RET_ALLOW
      ])
      tape.prctl(c.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
      tape.seccomp(c.SECCOMP_SET_MODE_FILTER, 0, refuse)
      tape.become({ flags: c.CLONE_VM + c.CLONE_VFORK })
    },
    error: 'clone3 ENOSYS',
    cause: /missing or refused/,
    remedy: /outside the container/,
  },
}

describe('a refusal on a tape', () => {
  for (const [name, { flags = MOUNTS, record, onlyAsRoot, ...said }] of Object.entries(mistakes)) {
    const lacking = onlyAsRoot && !isRoot ? ' (only as root)' : ''
    test.skipIf(lacking)(name + lacking, async () => {
      const tape = new Tape()
      record(tape, folder())
      expectSaid(await refusal(tape, flags), said)
    })
  }

  test('is not explained where we would only be guessing', async () => {
    const tape = new Tape()
    tape.chdir('/minilab/missing')
    expect((await refusal(tape)).diagnosis).toBeUndefined()
  })
})
