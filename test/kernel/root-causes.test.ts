import { describe, expect, test } from 'vitest'
import * as c from '../../lib/kernel/syscalls/constants.ts'
import { diagnose } from '../../lib/kernel/syscalls/diagnose.ts'
import { errnoNumber } from '../../lib/common/errno.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'
import { folder, refusal } from './replay.ts'
import { expectSaid, type Said } from './said.ts'

// As in diagnose.test.ts, each mistake is really made, in a child with namespaces of its own.

const MOUNTS = c.CLONE_NEWUSER | c.CLONE_NEWNS

const file = (tape: Tape, path: string) => tape.mknodat(c.AT_FDCWD, path, c.S_IFREG | 0o666, 0)
const held = (tape: Tape, flags: number) => tape.open_tree(c.AT_FDCWD, '/dev/null', flags)

const mistakes: Record<string, Said & { record(tape: Tape, root: string): void }> = {
  'a mount that is not copied': {
    record(tape, root) {
      file(tape, `${root}/null`)
      const device = held(tape, c.OPEN_TREE_CLOEXEC)
      tape.move_mount(device, '', c.AT_FDCWD, `${root}/null`, c.MOVE_MOUNT_F_EMPTY_PATH)
    },
    error: 'move_mount EINVAL',
    cause: /without OPEN_TREE_CLONE open_tree makes no copy/,
    remedy: /OPEN_TREE_CLONE/,
  },
  'a file moved onto a directory': {
    record(tape, root) {
      tape.mkdirat(c.AT_FDCWD, `${root}/null`, 0o755)
      const device = held(tape, c.OPEN_TREE_CLONE)
      tape.move_mount(device, '', c.AT_FDCWD, `${root}/null`, c.MOVE_MOUNT_F_EMPTY_PATH)
    },
    error: 'move_mount EINVAL',
    cause: /a file only on a file/,
    remedy: /mknodat with S_IFREG/,
  },
  'an empty path without its flag': {
    record(tape, root) {
      file(tape, `${root}/null`)
      tape.move_mount(held(tape, c.OPEN_TREE_CLONE), '', c.AT_FDCWD, `${root}/null`, 0)
    },
    error: 'move_mount ENOENT',
    cause: /only with a flag/,
    remedy: /MOVE_MOUNT_F_EMPTY_PATH/,
  },
  'a device node in a user namespace': {
    record: (tape, root) => tape.mknodat(c.AT_FDCWD, `${root}/null`, c.S_IFCHR | 0o666, 0x103),
    error: 'mknodat EPERM',
    cause: /even root can make device nodes/,
    remedy: /open_tree before the pivot/,
  },
  'the old path after chroot': {
    record(tape, root) {
      tape.chroot(root)
      tape.chdir(root)
    },
    error: 'chdir ENOENT',
    cause: /begins at the new root/,
    remedy: /chdir\("\/"\)/,
  },
  'a link and what it holds, exchanged': {
    record: (tape, root) => tape.symlinkat(`${root}/fd`, c.AT_FDCWD, '/proc/self/fd'),
    error: 'symlinkat EEXIST',
    cause: /first argument of symlinkat is the link's target/,
    remedy: /swap/,
  },
  'a misspelt file system': {
    record: (tape, root) => tape.mount('proc', root, 'procfs', 0, null),
    error: 'mount ENODEV',
    cause: /"procfs"/,
    remedy: /^did you mean proc\? \/proc\/filesystems/,
  },
  'bind as a file system': {
    record: (tape, root) => tape.mount(root, root, 'bind', 0, null),
    error: 'mount ENODEV',
    cause: /"bind"/,
    remedy: /MS_BIND/,
  },
  'a file of /proc covered by a directory': {
    record: (tape, root) => tape.mount(root, '/proc/version', null, c.MS_BIND, null),
    error: 'mount ENOTDIR',
    cause: /a directory can only be mounted on a directory/,
    remedy: /tape\.attempt\.mount/,
  },
  'what this /proc does not have': {
    record: tape => tape.mount('/dev/null', '/proc/minilab', null, c.MS_BIND, null),
    error: 'mount ENOENT',
    cause: /this kernel has no such path/,
    remedy: /tape\.attempt\.mount/,
  },
}

describe('a refusal of what makes a root', () => {
  for (const [name, { record, ...said }] of Object.entries(mistakes)) {
    test(name, async () => {
      const tape = new Tape()
      record(tape, folder())
      expectSaid(await refusal(tape, MOUNTS), said)
    })
  }

  test('sysfs after the old root has gone', () => {
    const tape = new Tape()
    tape.umount2('.', c.MNT_DETACH)
    const args = ['sysfs', '/sys', 'sysfs', c.MS_RDONLY, null]
    expect(diagnose('mount', args, errnoNumber('EPERM'), tape.ops)?.remedy).toBe(
      'mount sysfs on the new root before the old root is unmounted',
    )
  })
})
