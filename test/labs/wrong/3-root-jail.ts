import type { WrongAnswer } from '../../../lib/labs/answer.ts'

// The first four tasks: into a jail and out of it, the pivot, /proc.

const OUT = "  tape.chroot(second)\n  for (let i = 0; i < 32; i++) tape.chdir('..')\n  tape.chroot('.')"
const BIND = '    tape.mount(rootfs, rootfs, null, MS_BIND | MS_REC, null)\n'
const PIVOT = "    tape.pivot_root('.', '.')\n"
const LEAVE = "    tape.umount2('.', MNT_DETACH)\n"
const PROC = "    tape.mount('proc', '/proc', 'proc', SAFE, null)\n"

export const wrongJails: WrongAnswer[] = [
  {
    task: 'jail',
    name: 'goes there afterwards',
    belief: 'a path stays what it is, whatever the root',
    edits: [["  tape.chdir(jail)\n  tape.chroot('.')", '  tape.chroot(jail)\n  tape.chdir(jail)']],
    says: 'begins at the new root',
  },
  {
    task: 'break-out',
    name: 'to the root that / names',
    belief: '/ is the true root for whoever stands at the top',
    edits: [[OUT, OUT.replace("tape.chroot('.')", "tape.chroot('/')")]],
    says: 'its “/” is still `second`',
  },
  {
    task: 'break-out',
    name: 'by a path from /',
    belief: 'in a path .. leads up from everywhere',
    edits: [[OUT, "  tape.chroot(second)\n  tape.chroot('/' + '../'.repeat(40))"]],
    says: 'Its “/” is `second`',
  },
  {
    task: 'break-out',
    name: 'a directory of that name',
    belief: 'the second jail is called second',
    edits: [[OUT, OUT.replace('(second)', "('second')")]],
    says: '= -1 ENOENT',
  },
  {
    task: 'break-out',
    name: 'makes it first',
    belief: 'the second jail is still to be made',
    edits: [[OUT, `  tape.mkdirat(AT_FDCWD, second, 0o700)\n${OUT}`]],
    says: 'EEXIST',
  },
  {
    task: 'pivot',
    name: 'unmounted at once',
    belief: 'the old root is a mount like any other',
    edits: [[LEAVE, "    tape.umount2('.', 0)\n"]],
    says: 'umount2(target, MNT_DETACH)',
  },
  {
    task: 'pivot',
    name: 'a refusal passed over',
    belief: 'attempt makes a call succeed',
    edits: [[LEAVE, "    tape.attempt.umount2('.', 0)\n"]],
    says: 'the reference `umount2(".", MNT_DETACH)`',
  },
  {
    task: 'pivot',
    name: 'left in a folder',
    belief: 'in a folder the old root is put away',
    edits: [
      [PIVOT, "    tape.pivot_root('.', 'tmp')\n    tape.chdir('/')\n"],
      [LEAVE, ''],
    ],
    says: 'It lies at /tmp',
  },
  {
    task: 'pivot',
    name: 'bind as a type',
    belief: 'bind is a kind of file system, as mount --bind looks like it',
    edits: [[BIND, "    tape.mount(rootfs, rootfs, 'bind', 0, null)\n"]],
    says: 'the reference `mount(rootfs, rootfs, NULL, MS_BIND|MS_REC, NULL)`',
  },
  {
    task: 'proc',
    name: 'procfs',
    belief: 'the file system is called procfs',
    edits: [[PROC, "    tape.mount('proc', '/proc', 'procfs', SAFE, null)\n"]],
    says: 'did you mean proc?',
  },
  {
    task: 'proc',
    name: 'below a bind that is not recursive',
    belief: 'what is mounted in a directory goes with it',
    edits: [
      [PROC, ''],
      [
        BIND,
        "    tape.mount('proc', `${rootfs}/proc`, 'proc', SAFE, null)\n    tape.mount(rootfs, rootfs, null, MS_BIND, null)\n",
      ],
    ],
    says: 'a bind mount without MS_REC leaves out the mounts below it',
  },
  {
    task: 'proc',
    name: 'sysfs with the flags of proc',
    belief: 'what holds for /proc holds for /sys',
    edits: [['SAFE | MS_RDONLY, null)\n    tape.umount2', 'SAFE, null)\n    tape.umount2']],
    says: 'mount it with MS_RDONLY',
  },
  {
    task: 'pivot',
    name: 'by names of no calls',
    belief: 'umount(2) is what umount(8) calls',
    edits: [[LEAVE, "    // @ts-expect-error there is no such call\n    tape.umount('.', MNT_DETACH)\n"]],
    says: 'no such call; did you mean umount2?',
  },
]
