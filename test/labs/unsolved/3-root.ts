import type { Unsolved } from '../../../lib/labs/answer.ts'

export const unsolved: Unsolved[] = [
  {
    task: 'break-out',
    edits: [
      ["  tape.chroot(second)\n  for (let i = 0; i < 32; i++) tape.chdir('..')\n  tape.chroot('.')\n", ''],
    ],
  },
  {
    task: 'pivot',
    edits: [
      ['    tape.mount(rootfs, rootfs, null, MS_BIND | MS_REC, null)\n    tape.chdir(rootfs)\n', ''],
      ["    tape.pivot_root('.', '.')\n", ''],
      ["    tape.umount2('.', MNT_DETACH)\n    tape.chdir('/')\n", ''],
    ],
  },
  { task: 'proc', edits: [["    tape.mount('proc', '/proc', 'proc', SAFE, null)\n", '']] },
  {
    task: 'dev',
    edits: [
      [
        '    const devices = DEVICES.map(name =>\n      tape.open_tree(AT_FDCWD, `/dev/${name}`, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC),\n    )\n',
        '',
      ],
      ["    tape.mount('tmpfs', '/dev', 'tmpfs', MS_NOSUID, 'mode=755')\n", ''],
      [
        '    for (const [i, name] of DEVICES.entries()) {\n      tape.mknodat(AT_FDCWD, `/dev/${name}`, S_IFREG | 0o666, 0)\n' +
          "      tape.move_mount(devices[i]!, '', AT_FDCWD, `/dev/${name}`, MOVE_MOUNT_F_EMPTY_PATH)\n    }\n",
        '',
      ],
      [
        "    tape.mkdirat(AT_FDCWD, '/dev/pts', 0o755)\n    tape.mount('devpts', '/dev/pts', 'devpts', MS_NOSUID | MS_NOEXEC, 'newinstance,ptmxmode=0666,mode=0620')\n" +
          '    for (const [name, target] of Object.entries(LINKS)) tape.symlinkat(target, AT_FDCWD, `/dev/${name}`)\n',
        '',
      ],
    ],
  },
  {
    task: 'cover',
    edits: [
      ["    tape.mount('sysfs', '/sys', 'sysfs', SAFE | MS_RDONLY, null)\n", ''],
      ['    for (const path of spec.linux.maskedPaths ?? []) cover(tape, path)\n', ''],
      ["    tape.mount('/proc/sys', '/proc/sys', null, MS_BIND, null)\n", ''],
      ["    tape.mount(null, '/proc/sys', null, MS_BIND | MS_REMOUNT | MS_RDONLY | SAFE, null)\n", ''],
    ],
  },
]
