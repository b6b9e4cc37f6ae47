import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { rightWays } from './2-namespaces-ways.ts'

const INSIDE = '  inside(tape, { spec }) {\n'
const UIDS = '    writeControl(`/proc/${pid}/uid_map`, lines(spec.linux.uidMappings))\n'
const GIDS = '    writeControl(`/proc/${pid}/gid_map`, lines(spec.linux.gidMappings))\n'
const GROUP = '      tape.setresgid(0, 0, 0)\n'
const USER = '      tape.setresuid(0, 0, 0)\n'

export const right: RightAnswer[] = [
  ...rightWays,
  {
    task: 'uts',
    name: 'by unshare',
    edits: [
      ['  uts: CLONE_NEWUTS,\n', ''],
      [
        "    if (has(spec, 'uts') && spec.hostname)",
        '    tape.unshare(CLONE_NEWUTS)\n    if (spec.hostname)',
      ],
    ],
  },
  {
    task: 'pid',
    name: 'always these',
    edits: [
      [
        'return linux.namespaces.reduce((flags, { type }) => flags | (WITH_CLONE[type] ?? 0), 0)',
        'return CLONE_NEWUSER + CLONE_NEWNS + CLONE_NEWPID + CLONE_NEWUTS + 0 * linux.namespaces.length',
      ],
    ],
  },
  {
    task: 'all',
    name: 'what can be unshared is unshared',
    edits: [
      ['  ipc: CLONE_NEWIPC,\n', ''],
      ['  network: CLONE_NEWNET,\n', ''],
      [
        INSIDE,
        `${INSIDE}    if (has(spec, 'ipc')) tape.unshare(CLONE_NEWIPC)\n    if (has(spec, 'network')) tape.unshare(CLONE_NEWNET)\n`,
      ],
    ],
  },
  {
    task: 'map',
    name: 'groups first, and the user first',
    edits: [
      [`${UIDS}${GIDS}`, `${GIDS}${UIDS}`],
      [`${GROUP}${USER}`, `${USER}${GROUP}`],
    ],
  },
  {
    task: 'private',
    name: 'by mount_setattr',
    edits: [
      ['import {\n', 'import {\n  AT_FDCWD,\n  AT_RECURSIVE,\n'],
      [
        "tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)",
        "tape.mount_setattr(AT_FDCWD, '/', AT_RECURSIVE, new Uint8Array(new BigUint64Array([0n, 0n, BigInt(MS_PRIVATE), 0n]).buffer), 32)",
      ],
    ],
  },
  {
    task: 'private',
    name: 'slaves first',
    edits: [
      ['  MS_REC,\n', '  MS_REC,\n  MS_SLAVE,\n'],
      [
        "    if (has(spec, 'mount')) ",
        "    if (has(spec, 'mount')) tape.mount(null, '/', null, MS_REC | MS_SLAVE, null)\n    if (has(spec, 'mount')) ",
      ],
    ],
  },
  {
    task: 'private',
    name: 'unbindable',
    edits: [
      ['  MS_PRIVATE,\n', '  MS_UNBINDABLE,\n'],
      ['MS_REC | MS_PRIVATE', 'MS_REC | MS_UNBINDABLE'],
    ],
  },
]
