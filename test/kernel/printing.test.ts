import { expect, test } from 'vitest'
import * as c from '../../lib/kernel/syscalls/constants.ts'
import { flags } from '../../lib/kernel/syscalls/argument-kinds.ts'
import { type Call, misfit } from '../../lib/kernel/syscalls/syscalls.ts'
import { Tape } from '../../lib/kernel/tape/tape.ts'

const inet = new Uint8Array([2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])

/** What a tape with one call prints. */
const rows: [record: (tape: Tape) => void, printed: string][] = [
  // paths, flags and data, and what is absent
  [
    t => t.mount('proc', '/proc', 'proc', c.MS_NOSUID | c.MS_NODEV | c.MS_NOEXEC, null),
    'mount("proc", "/proc", "proc", MS_NOSUID|MS_NODEV|MS_NOEXEC, NULL)',
  ],
  [
    t => t.mount(null, '/', null, c.MS_REC | c.MS_PRIVATE, null),
    'mount(NULL, "/", NULL, MS_REC|MS_PRIVATE, NULL)',
  ],
  [t => t.mount('a', 'b', 'c', 0, 'x=1'), 'mount("a", "b", "c", 0, "x=1")'],
  [t => t.umount2('.', c.MNT_DETACH), 'umount2(".", MNT_DETACH)'],
  [t => t.umount2('.', c.MNT_DETACH | 64), 'umount2(".", MNT_DETACH|0x40)'], // no name for it
  [t => t.setns(7, c.CLONE_NEWNS | c.CLONE_NEWTIME), 'setns(7, CLONE_NEWTIME|CLONE_NEWNS)'],
  // strings as in C
  [t => t.chdir('/a "b"\n\\'), String.raw`chdir("/a \"b\"\n\\")`],
  [t => t.sethostname('züri', 5), 'sethostname("züri", 5)'],
  // files
  [
    t => t.openat(c.AT_FDCWD, 'f', c.O_RDONLY | c.O_CLOEXEC, 0),
    'openat(AT_FDCWD, "f", O_RDONLY|O_CLOEXEC, 00)',
  ],
  [
    t => t.openat(5, 'f', c.O_WRONLY | c.O_CREAT | c.O_EXCL, 0o640),
    'openat(5, "f", O_WRONLY|O_CREAT|O_EXCL, 0640)',
  ],
  [
    t => t.openat2(5, 'f', { flags: c.O_PATH, resolve: c.RESOLVE_IN_ROOT | c.RESOLVE_NO_SYMLINKS }, 24),
    'openat2(5, "f", {flags=O_RDONLY|O_PATH, mode=00, resolve=RESOLVE_NO_SYMLINKS|RESOLVE_IN_ROOT}, 24)',
  ],
  [
    t => t.mknodat(c.AT_FDCWD, 'null', c.S_IFCHR | 0o666, (1 << 8) | 3),
    'mknodat(AT_FDCWD, "null", 020666, makedev(1, 3))',
  ],
  [t => t.unlinkat(4, 'd', c.AT_REMOVEDIR), 'unlinkat(4, "d", AT_REMOVEDIR)'],
  [
    t => t.close_range(3, 0xffffffff, c.CLOSE_RANGE_CLOEXEC),
    'close_range(3, 4294967295, CLOSE_RANGE_CLOEXEC)',
  ],
  [t => t.fcntl(0, c.F_SETFD, 0), 'fcntl(0, F_SETFD, 0)'],
  [t => t.write(3, Buffer.from('?'), 1), 'write(3, "?", 1)'],
  [t => t.write(3, Buffer.alloc(200), 200), 'write(3, /* 200 bytes */, 200)'],
  // processes
  [
    t => t.execve('/bin/sh', ['sh', '-c', 'echo "x"'], ['A=1', 'B=2']),
    String.raw`execve("/bin/sh", ["sh", "-c", "echo \"x\""], /* 2 vars */)`,
  ],
  [t => t.prctl(c.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 'prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)'],
  [t => t.prctl(9999, 1, 0, 0, 0), 'prctl(9999, 1, 0, 0, 0)'],
  [
    t => t.prlimit64(0, c.RLIMIT_NOFILE, { cur: 10, max: 2n ** 64n - 1n }, null),
    'prlimit64(0, RLIMIT_NOFILE, {rlim_cur=10, rlim_max=18446744073709551615}, NULL)',
  ],
  [
    t => t.rt_sigaction(c.SIGPIPE, 'SIG_DFL', null, 8),
    'rt_sigaction(SIGPIPE, {sa_handler=SIG_DFL}, NULL, 8)',
  ],
  [
    t => t.become({ flags: c.CLONE_VM + c.CLONE_PARENT }),
    'clone3({flags=CLONE_VM|CLONE_PARENT, exit_signal=0}, 88)',
  ],
  [t => t.setgroups(2, [0, 27]), 'setgroups(2, [0, 27])'],
  [t => t.setresuid(-1, 0, -1), 'setresuid(-1, 0, -1)'],
  [t => t.umask(0o022), 'umask(022)'],
  [t => t.getpid(), 'getpid()'],
  // sockets
  [
    t => t.socket(c.AF_NETLINK, c.SOCK_RAW | c.SOCK_CLOEXEC, c.NETLINK_ROUTE),
    'socket(AF_NETLINK, SOCK_RAW|SOCK_CLOEXEC, 0)',
  ],
  [t => t.connect(3, inet, 16), 'connect(3, {AF_INET, 127.0.0.1:80}, 16)'],
]

for (const [record, printed] of rows) {
  test(printed, () => {
    const tape = new Tape()
    record(tape)
    expect(tape.print()).toEqual([printed])
  })
}

test('flags of more than 32 bits', () => {
  expect(flags('CLONE_', c.CLONE_CLEAR_SIGHAND + c.CLONE_NEWNET + c.CLONE_VM)).toBe(
    'CLONE_VM|CLONE_NEWNET|CLONE_CLEAR_SIGHAND',
  )
})

test('what is not known yet is named after the call that it comes from', () => {
  const tape = new Tape()
  tape.getpid()
  const root = tape.openat(c.AT_FDCWD, '/', c.O_PATH, 0)
  const file = tape.openat(root, 'etc', c.O_RDONLY, 0)
  tape.move_mount(file, '', root, 'x', c.MOVE_MOUNT_F_EMPTY_PATH)
  tape.ioctl(file, c.TIOCSCTTY, root)
  tape.close_range(root, file, file)
  tape.openat(c.AT_FDCWD, 'f', root, file) // flags and a mode: not numbers yet either
  expect(tape.print().slice(2)).toEqual([
    'openat(<openat #2>, "etc", O_RDONLY, 00)',
    'move_mount(<openat #3>, "", <openat #2>, "x", MOVE_MOUNT_F_EMPTY_PATH)',
    'ioctl(<openat #3>, TIOCSCTTY, <openat #2>)',
    'close_range(<openat #2>, <openat #3>, <openat #3>)',
    'openat(AT_FDCWD, "f", <openat #2>, <openat #3>)',
  ])
})

test.each<[Call, unknown[], string | undefined]>([
  ['execve', [['/bin/sh'], ['sh'], []], 'execve takes a string as `path`, and got a list'],
  ['execve', ['/bin/sh', 'sh -c true', []], 'execve takes a list of strings as `argv`, and got "sh -c true"'],
  ['chdir', [], 'chdir takes a string as `path`, and got nothing'],
  ['setresuid', [0, NaN, 0], 'setresuid takes a whole number as `euid`, and got NaN'],
  [
    'mount',
    ['proc', '/proc', 'proc', Promise.resolve(0), null],
    'mount takes a whole number as `flags`, and got a promise: await it first',
  ],
  ['mount', [null, '/', null, 0, null], undefined],
  ['chdir', ['/', 'x'], 'chdir takes 1 argument (path), and got 2'],
])('%s(%j): what no compiler has looked at', (call, args, said) => {
  expect(misfit(call, args)).toBe(said)
})
