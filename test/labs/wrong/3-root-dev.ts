import type { WrongAnswer } from '../../../lib/labs/answer.ts'

// Devices, terminals and links.

const PLACE = '      tape.mknodat(AT_FDCWD, `/dev/${name}`, S_IFREG | 0o666, 0)\n'
const MOVE = "      tape.move_mount(devices[i]!, '', AT_FDCWD, `/dev/${name}`, MOVE_MOUNT_F_EMPTY_PATH)\n"
const DEVPTS = "'devpts', MS_NOSUID | MS_NOEXEC, 'newinstance,ptmxmode=0666,mode=0620'"

export const wrongDevices: WrongAnswer[] = [
  {
    task: 'dev',
    name: 'null and zero exchanged',
    belief: 'the order of two lists is the same',
    edits: [[MOVE, MOVE.replace('devices[i]!', 'devices[i < 2 ? 1 - i : i]!')]],
    says: 'the wrong device',
  },
  {
    task: 'dev',
    name: 'the names sorted',
    belief: 'the order of two lists is the same',
    edits: [['of DEVICES.entries()', 'of DEVICES.toSorted().entries()']],
    says: 'the wrong device',
  },
  {
    task: 'dev',
    name: 'no copy',
    belief: 'open_tree takes hold of a mount by itself',
    edits: [['OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),', 'OPEN_TREE_CLOEXEC),']],
    says: 'OPEN_TREE_CLONE',
  },
  {
    task: 'dev',
    name: 'an empty path without its flag',
    belief: 'an empty path is the descriptor itself',
    edits: [[MOVE, MOVE.replace('MOVE_MOUNT_F_EMPTY_PATH', '0')]],
    says: 'MOVE_MOUNT_F_EMPTY_PATH',
  },
  {
    task: 'dev',
    name: 'directories as places',
    belief: 'one mounts on directories',
    edits: [[PLACE, '      tape.mkdirat(AT_FDCWD, `/dev/${name}`, 0o755)\n']],
    says: 'a file only on a file',
  },
  {
    task: 'dev',
    name: 'device nodes',
    belief: 'root may make a device file',
    edits: [
      [
        PLACE,
        '      tape.mknodat(AT_FDCWD, `/dev/${name}`, 0o020666, [0x103, 0x105, 0x107, 0x108, 0x109, 0x500][i]!)\n',
      ],
      [MOVE, ''],
    ],
    says: 'in a user namespace not even root can make device nodes',
  },
  {
    task: 'dev',
    name: 'links counted from 1',
    belief: 'the first descriptor is 1',
    edits: [
      ["'/proc/self/fd/2'", "'/proc/self/fd/3'"],
      ["'/proc/self/fd/1'", "'/proc/self/fd/2'"],
      ["'/proc/self/fd/0'", "'/proc/self/fd/1'"],
    ],
    says: 'stdin leads to',
  },
  {
    task: 'dev',
    name: 'the descriptors of process 1',
    belief: 'the process of a container is process 1',
    edits: [
      ["fd: '/proc/self/fd'", "fd: '/proc/1/fd'"],
      ["'/proc/self/fd/0'", "'/proc/1/fd/0'"],
      ["'/proc/self/fd/1'", "'/proc/1/fd/1'"],
      ["'/proc/self/fd/2'", "'/proc/1/fd/2'"],
    ],
    says: 'fd leads to',
  },
  {
    task: 'dev',
    name: 'link and target exchanged',
    belief: 'symlinkat takes the name of the link first',
    edits: [
      [
        'tape.symlinkat(target, AT_FDCWD, `/dev/${name}`)',
        'tape.symlinkat(`/dev/${name}`, AT_FDCWD, target)',
      ],
    ],
    says: "the first argument of symlinkat is the link's target",
  },
  {
    task: 'dev',
    name: 'ptmx of the host',
    belief: 'ptmx is a device like the others',
    edits: [
      [", 'urandom', 'tty']", ", 'urandom', 'tty', 'ptmx']"],
      ["  ptmx: 'pts/ptmx',\n", ''],
    ],
    says: 'does not lead to pts/ptmx',
  },
  {
    task: 'dev',
    name: 'terminals without devices',
    belief: 'nodev does no harm where no disk is',
    edits: [[DEVPTS, DEVPTS.replace('MS_NOSUID | MS_NOEXEC', 'SAFE')]],
    says: 'ptmx',
  },
  {
    task: 'dev',
    name: 'ptmx for nobody',
    belief: 'ptmx has the mode that it needs',
    edits: [[DEVPTS, DEVPTS.replace(",ptmxmode=0666,mode=0620'", "'")]],
    says: 'ptmxmode',
  },
]
