import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { wrongCovers } from './3-root-cover.ts'
import { wrongDevices } from './3-root-dev.ts'
import { wrongJails } from './3-root-jail.ts'

const LEAVE = "    tape.umount2('.', MNT_DETACH)\n"
const PIVOT = "tape.pivot_root('.', '.')"
const PROC = "    tape.mount('proc', '/proc', 'proc', SAFE, null)\n"

export const wrong: WrongAnswer[] = [
  {
    task: 'cover',
    name: 'remounted without bind',
    belief: 'a remount is of the mount that its path names',
    edits: [['MS_BIND | MS_REMOUNT | MS_RDONLY', 'MS_REMOUNT | MS_RDONLY']],
    says: 'All of /proc has become read-only',
  },
  ...wrongJails,
  ...wrongDevices,
  ...wrongCovers,
  {
    task: 'jail',
    name: 'chdir only',
    belief: 'going into a directory makes it the root',
    edits: [["  tape.chdir(jail)\n  tape.chroot('.')", '  tape.chdir(jail)']],
    says: 'chroot was never called',
  },
  {
    task: 'jail',
    name: 'chroot to nothing new',
    belief: 'chroot(".") is about the directory that was named in the text, wherever one stands',
    edits: [["  tape.chdir(jail)\n  tape.chroot('.')", "  tape.chdir('/')\n  tape.chroot('.')"]],
    says: 'the reference `chdir("/jail")`',
  },
  {
    task: 'jail',
    name: 'a path of its own',
    belief: 'the jail lies at /jail',
    edits: [["  tape.chdir(jail)\n  tape.chroot('.')", "  tape.chroot('/jail')"]],
    says: 'ENOENT',
  },
  {
    task: 'jail',
    name: 'stays outside',
    belief: 'chroot moves the process, too',
    edits: [["  tape.chdir(jail)\n  tape.chroot('.')", '  tape.chroot(jail)']],
    says: 'its working directory is still outside',
  },
  {
    task: 'jail',
    name: 'moves us',
    belief: 'process.chdir() is about the child',
    edits: [['  tape.chdir(jail)', '  process.chdir(jail)']],
    says: 'process.chdir() moves',
  },
  {
    task: 'break-out',
    name: 'goes into the second jail',
    belief: 'chdir belongs to every chroot, also where one wants to get out',
    edits: [['  tape.chroot(second)\n', "  tape.chdir(second)\n  tape.chroot('.')\n"]],
    says: 'moved into the second jail',
  },
  {
    task: 'break-out',
    name: 'walks up without a second jail',
    belief: '".." leads out of any chroot',
    edits: [['  tape.chroot(second)\n', '']],
    says: 'no chroot has moved its root',
  },
  {
    task: 'break-out',
    name: 'leaves the jail as it is',
    belief: 'one step up is enough',
    edits: [['i < 32', 'i < 1']],
    says: 'not to the top',
  },
  {
    task: 'break-out',
    name: 'nothing',
    belief: 'a process in a jail is out as soon as it is root',
    edits: [
      ["  tape.chroot(second)\n  for (let i = 0; i < 32; i++) tape.chdir('..')\n  tape.chroot('.')\n", ''],
    ],
    says: 'Its “/” is still the jail',
  },
  {
    task: 'break-out',
    name: 'without the last chroot',
    belief: 'who stands outside is out',
    edits: [["tape.chdir('..')\n  tape.chroot('.')\n", "tape.chdir('..')\n"]],
    says: 'the last chroot, to where it stands, is missing',
  },
  {
    task: 'pivot',
    name: 'chroot',
    belief: 'chroot does the same, and is simpler',
    edits: [
      [PIVOT, "tape.chroot('.')"],
      [LEAVE, ''],
    ],
    says: 'chroot was used in place of pivot_root',
  },
  {
    task: 'pivot',
    name: 'no mount point',
    belief: 'pivot_root takes any directory',
    edits: [['    tape.mount(rootfs, rootfs, null, MS_BIND | MS_REC, null)\n', '']],
    says: 'pivot_root(".", ".") = -1 EINVAL',
  },
  {
    task: 'pivot',
    name: 'the old root stays',
    belief: 'pivot_root does away with the old root',
    edits: [[LEAVE, '']],
    says: 'umount2(".", MNT_DETACH) was forgotten',
  },
  {
    task: 'pivot',
    name: 'moved over the old root',
    belief: 'a mount on “/” takes the place of what was there, as switch_root(8) does it',
    edits: [
      ['  MS_BIND,\n', '  MS_BIND,\n  MS_MOVE,\n'],
      [PIVOT, "tape.mount('.', '/', null, MS_MOVE, null)\n    tape.chroot('.')"],
      [LEAVE, ''],
    ],
    says: "The host's tree lies under its root",
  },
  {
    task: 'proc',
    name: 'after the old root has gone',
    belief: 'the order of mounts does not matter',
    edits: [
      [PROC, ''],
      ["    tape.chdir('/')\n", `    tape.chdir('/')\n${PROC}`],
    ],
    says: 'mount("proc", "/proc", "proc"',
  },
  {
    task: 'proc',
    name: "the host's, bound",
    belief: 'there is one /proc, and it shows what the reader may see',
    edits: [
      [PROC, ''],
      [
        '    tape.chdir(rootfs)\n',
        "    tape.chdir(rootfs)\n    tape.mount('/proc', 'proc', null, MS_BIND | MS_REC, null)\n",
      ],
      ['SAFE | MS_RDONLY, null)\n    tape.umount2', 'SAFE | MS_RDONLY, null)\n    tape.umount2'],
    ],
    says: "it is the host's /proc, bind-mounted",
  },
  {
    task: 'proc',
    name: 'left out',
    belief: '/proc is part of every image',
    edits: [[PROC, '']],
    says: 'The reference also calls `mount("proc"',
  },
  {
    task: 'dev',
    name: 'places only',
    belief: 'a file of that name in /dev is a device',
    edits: [
      ["      tape.move_mount(devices[i]!, '', AT_FDCWD, `/dev/${name}`, MOVE_MOUNT_F_EMPTY_PATH)\n", ''],
    ],
    says: 'Plain files were left',
  },
  {
    task: 'dev',
    name: 'one device too few',
    belief: 'what has no terminal needs no /dev/tty',
    edits: [[", 'urandom', 'tty']", ", 'urandom']"]],
    says: 'tty',
  },
  {
    task: 'dev',
    name: 'no links',
    belief: 'devices are all that /dev has',
    edits: [
      [
        '    for (const [name, target] of Object.entries(LINKS)) tape.symlinkat(target, AT_FDCWD, `/dev/${name}`)\n',
        '',
      ],
    ],
    says: 'pts/ptmx',
  },
  {
    task: 'cover',
    name: 'nothing covered',
    belief: 'a new /proc shows nothing of the machine',
    edits: [['    for (const path of spec.linux.maskedPaths ?? []) cover(tape, path)\n', '']],
    says: 'can be read',
  },
  {
    task: 'cover',
    name: 'read-only in one call',
    belief: 'MS_BIND|MS_RDONLY makes a read-only bind',
    edits: [
      [
        "tape.mount('/proc/sys', '/proc/sys', null, MS_BIND, null)",
        "tape.mount('/proc/sys', '/proc/sys', null, MS_BIND | MS_RDONLY, null)",
      ],
      ["    tape.mount(null, '/proc/sys', null, MS_BIND | MS_REMOUNT | MS_RDONLY | SAFE, null)\n", ''],
    ],
    says: 'it takes a second call with MS_REMOUNT',
  },
  {
    task: 'cover',
    name: 'files only',
    belief: '/dev/null covers everything',
    edits: [["  tape.attempt.mount('tmpfs', path, 'tmpfs', MS_RDONLY, 'size=0k')\n", '']],
    says: '/sys/firmware',
  },
  {
    task: 'cover',
    name: 'a list of its own',
    belief: 'what is to be covered is the same for every container',
    edits: [
      [
        'spec.linux.maskedPaths ?? []',
        "['/proc/acpi', '/proc/interrupts', '/proc/keys', '/proc/timer_list', '/proc/kcore', '/sys/firmware']",
      ],
    ],
    says: 'is in spec.linux.maskedPaths this time',
  },
  {
    task: 'cover',
    name: 'settings hidden',
    belief: 'what may not be written is to be covered',
    edits: [
      [
        "tape.mount('/proc/sys', '/proc/sys', null, MS_BIND, null)",
        "tape.mount('tmpfs', '/proc/sys', 'tmpfs', MS_RDONLY, null)",
      ],
      ["    tape.mount(null, '/proc/sys', null, MS_BIND | MS_REMOUNT | MS_RDONLY | SAFE, null)\n", ''],
    ],
    says: 'a tmpfs was mounted over /proc/sys',
  },
]
