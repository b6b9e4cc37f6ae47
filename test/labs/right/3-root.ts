import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { rightWays } from './3-root-ways.ts'

export const right: RightAnswer[] = [
  ...rightWays,
  {
    task: 'jail',
    name: 'chroot first',
    edits: [["  tape.chdir(jail)\n  tape.chroot('.')", "  tape.chroot(jail)\n  tape.chdir('/')"]],
  },
  {
    task: 'jail',
    name: 'by its path both times',
    edits: [
      ["tape.chroot('.')\n}\n\nexport function breakOut", 'tape.chroot(jail)\n}\n\nexport function breakOut'],
    ],
  },
  {
    task: 'break-out',
    name: 'one long path',
    edits: [["  for (let i = 0; i < 32; i++) tape.chdir('..')", "  tape.chdir('../'.repeat(40))"]],
  },
  {
    task: 'pivot',
    name: 'the old root in a directory of its own',
    edits: [
      ["tape.pivot_root('.', '.')", "tape.pivot_root('.', 'tmp')\n    tape.chdir('/')"],
      ["tape.umount2('.', MNT_DETACH)", "tape.umount2('/tmp', MNT_DETACH)"],
    ],
  },
  {
    task: 'proc',
    name: 'mounted before the pivot',
    edits: [
      ["    tape.mount('proc', '/proc', 'proc', SAFE, null)\n", ''],
      [
        "    tape.pivot_root('.', '.')\n",
        "    tape.mount('proc', 'proc', 'proc', SAFE, null)\n    tape.pivot_root('.', '.')\n",
      ],
    ],
  },
  {
    task: 'dev',
    name: 'bound before the pivot',
    edits: [
      [
        'tape.symlinkat(target, AT_FDCWD, `/dev/${name}`)',
        "tape.symlinkat(target, AT_FDCWD, '/dev/./' + name)",
      ],
      ["'newinstance,ptmxmode=0666,mode=0620'", "'newinstance,ptmxmode=0666'"],
    ],
  },
  {
    task: 'cover',
    name: 'directories by one empty tmpfs each, asked for first',
    edits: [
      [
        "  tape.attempt.mount('/dev/null', path, null, MS_BIND, null)\n  tape.attempt.mount('tmpfs', path, 'tmpfs', MS_RDONLY, 'size=0k')",
        "  tape.attempt.mount('none', path, 'tmpfs', MS_RDONLY, null)\n  tape.attempt.mount('/dev/null', path, null, MS_BIND, null)",
      ],
    ],
  },
]
