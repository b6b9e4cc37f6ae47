import type { RightAnswer } from '../../../lib/labs/answer.ts'

// What few would write.

const OUT = "  tape.chroot(second)\n  for (let i = 0; i < 32; i++) tape.chdir('..')\n  tape.chroot('.')"
const BY_NULL = "  tape.attempt.mount('/dev/null', path, null, MS_BIND, null)\n"
const BY_TMPFS = "  tape.attempt.mount('tmpfs', path, 'tmpfs', MS_RDONLY, 'size=0k')\n"
const SYS = "    tape.mount('/proc/sys', '/proc/sys', null, MS_BIND, null)\n"
const SYS_AGAIN = "    tape.mount(null, '/proc/sys', null, MS_BIND | MS_REMOUNT | MS_RDONLY | SAFE, null)\n"

export const rightWays: RightAnswer[] = [
  {
    task: 'break-out',
    name: 'one chroot',
    edits: [[OUT, "  tape.chroot(second)\n  tape.chroot(Array(64).fill('..').join('/'))"]],
  },
  {
    task: 'break-out',
    name: 'by a descriptor of the jail',
    edits: [
      [
        OUT,
        `  const here = tape.openat(AT_FDCWD, '.', 0o200000, 0)
  tape.chdir(second)
  tape.chroot('.')
  tape.fchdir(here)
  let left = 33
  while (left--) tape.chdir('..')
  tape.chroot('.')
  tape.close(here)`,
      ],
    ],
  },
  {
    task: 'pivot',
    name: 'goes to / first',
    edits: [
      [
        "    tape.umount2('.', MNT_DETACH)\n    tape.chdir('/')\n",
        "    tape.chdir('/')\n    tape.umount2('.', MNT_DETACH)\n",
      ],
    ],
  },
  {
    task: 'pivot',
    name: 'a folder that is made, and removed',
    edits: [
      [
        "    tape.pivot_root('.', '.')\n",
        "    tape.allow('EEXIST').mkdirat(AT_FDCWD, '.old', 0o700)\n    tape.pivot_root(rootfs, `${rootfs}/.old`)\n    tape.chdir('/')\n",
      ],
      [
        "tape.umount2('.', MNT_DETACH)",
        "tape.umount2('/.old', MNT_DETACH)\n    tape.unlinkat(AT_FDCWD, '/.old', 0x200)",
      ],
    ],
  },
  {
    task: 'dev',
    name: 'links relative to /dev, files by openat',
    edits: [
      [
        '      tape.mknodat(AT_FDCWD, `/dev/${name}`, S_IFREG | 0o666, 0)\n',
        '      tape.close(tape.openat(AT_FDCWD, `/dev/${name}`, 0o101, 0o644))\n',
      ],
      ["fd: '/proc/self/fd'", "fd: '../proc/self/fd'"],
      ["'/proc/self/fd/0'", "'../proc/self/fd/0'"],
      ["ptmx: 'pts/ptmx'", "ptmx: '/dev/pts/ptmx'"],
    ],
  },
  {
    task: 'dev',
    name: 'stdin, stdout and stderr by the link fd',
    edits: [
      ["'/proc/self/fd/0'", "'fd/0'"],
      ["'/proc/self/fd/1'", "'fd/1'"],
      ["'/proc/self/fd/2'", "'fd/2'"],
    ],
  },
  {
    task: 'cover',
    name: 'asks the host what each is',
    edits: [
      ['import {\n', "import { statSync } from 'node:fs'\nimport {\n"],
      [
        BY_NULL,
        `  const kind = statSync(path, { throwIfNoEntry: false })
  if (!kind) return
  if (kind.isFile()) tape.ifThere.mount('/dev/null', path, '', MS_BIND, '')
`,
      ],
      [BY_TMPFS, "  else tape.ifThere.mount('none', path, 'tmpfs', MS_RDONLY | MS_NOSUID, null)\n"],
    ],
  },
  {
    task: 'cover',
    name: 'settings read-only before they are mounted',
    edits: [
      [
        SYS,
        "    const settings = tape.open_tree(AT_FDCWD, '/proc/sys', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)\n",
      ],
      [
        SYS_AGAIN,
        `    tape.mount_setattr(settings, '', 0x1000, new Uint8Array(new BigUint64Array([1n, 0n, 0n, 0n]).buffer), 32)
    tape.move_mount(settings, '', AT_FDCWD, '/proc/sys', MOVE_MOUNT_F_EMPTY_PATH)
`,
      ],
    ],
  },
]
