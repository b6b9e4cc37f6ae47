import type { WrongAnswer } from '../../../lib/labs/answer.ts'

// What is covered, and what is read-only.

const MOUNT_SYS = "    tape.mount('sysfs', '/sys', 'sysfs', SAFE | MS_RDONLY, null)\n"
const MASKS = '    for (const path of spec.linux.maskedPaths ?? []) cover(tape, path)\n'
const TMPFS = "    tape.mount('tmpfs', '/dev', 'tmpfs', MS_NOSUID, 'mode=755')\n"
const BY_NULL = "  tape.attempt.mount('/dev/null', path, null, MS_BIND, null)\n"
const BY_TMPFS = "  tape.attempt.mount('tmpfs', path, 'tmpfs', MS_RDONLY, 'size=0k')\n"
const SYS = "    tape.mount('/proc/sys', '/proc/sys', null, MS_BIND, null)\n"
const SYS_AGAIN = "    tape.mount(null, '/proc/sys', null, MS_BIND | MS_REMOUNT | MS_RDONLY | SAFE, null)\n"

export const wrongCovers: WrongAnswer[] = [
  {
    task: 'cover',
    name: 'no /sys',
    belief: 'a path that is not there needs no cover, so /sys can be left out',
    edits: [[MOUNT_SYS, '']],
    says: 'Nothing is mounted on /sys',
  },
  {
    task: 'cover',
    name: 'the /sys of the host',
    belief: 'a bind mount of /sys is as good as a new one',
    edits: [
      [
        "    tape.pivot_root('.', '.')\n",
        "    tape.mount('/sys', `${rootfs}/sys`, null, MS_BIND | MS_REC, null)\n    tape.pivot_root('.', '.')\n",
      ],
      [MOUNT_SYS, ''],
    ],
    says: "It is the host's /sys, bind-mounted",
    rootOnly: "without root the flags of the host's mounts hold as well",
  },
  {
    task: 'cover',
    name: 'a writable /sys',
    belief: 'what is under /sys is only read',
    edits: [["'sysfs', SAFE | MS_RDONLY", "'sysfs', SAFE"]],
    says: 'with MS_RDONLY',
  },
  {
    task: 'cover',
    name: 'a tmpfs to write to',
    belief: 'what is empty need not be read-only',
    edits: [[BY_TMPFS, "  tape.attempt.mount('tmpfs', path, 'tmpfs', 0, null)\n"]],
    says: 'read-only',
  },
  {
    task: 'cover',
    name: 'files in /proc, directories in /sys',
    belief: 'what is in /proc is a file',
    edits: [
      [
        BY_NULL,
        "  if (path.startsWith('/sys/')) tape.attempt.mount('tmpfs', path, 'tmpfs', MS_RDONLY, null)\n",
      ],
      [BY_TMPFS, "  else tape.attempt.mount('/dev/null', path, null, MS_BIND, null)\n"],
    ],
    says: 'can be read',
  },
  {
    task: 'cover',
    name: 'no attempts',
    belief: 'the list has what is there',
    edits: [
      [BY_NULL, BY_NULL.replace('attempt.', '')],
      [BY_TMPFS, BY_TMPFS.replace('attempt.', '')],
    ],
    says: 'tape.attempt',
  },
  {
    task: 'cover',
    name: 'before there is a /dev/null',
    belief: '/dev/null is there from the beginning',
    edits: [
      [MASKS, ''],
      [TMPFS, `${MASKS}${TMPFS}`],
    ],
    says: 'can be read',
  },
  {
    task: 'cover',
    name: 'bound on itself',
    belief: 'a bind covers, whatever is bound',
    edits: [[BY_NULL, '  tape.attempt.mount(path, path, null, MS_BIND, null)\n']],
    says: 'can be read',
  },
  {
    task: 'cover',
    name: 'settings by their mode',
    belief: 'what has no w in its mode cannot be written by root either',
    edits: [
      [SYS, "    tape.attempt.fchmodat(AT_FDCWD, '/proc/sys', 0o555)\n"],
      [SYS_AGAIN, ''],
    ],
    says: '/proc/sys',
  },
]
