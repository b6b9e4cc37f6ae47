import type { Unsolved } from '../../../lib/labs/answer.ts'

export const unsolved: Unsolved[] = [
  { task: 'pid', edits: [['return CLONE_NEWUTS | CLONE_NEWPID', 'return CLONE_NEWUTS']] },
  {
    task: 'all',
    edits: [
      [
        'return linux.namespaces.reduce((flags, { type }) => flags | (WITH_CLONE[type] ?? 0), 0)',
        'return CLONE_NEWUTS | CLONE_NEWPID',
      ],
      ["    if (has(spec, 'cgroup')) tape.unshare(CLONE_NEWCGROUP)\n", ''],
    ],
  },
  {
    task: 'map',
    edits: [
      ["    if (process.getuid?.() !== 0) writeControl(`/proc/${pid}/setgroups`, 'deny')\n", ''],
      ['    writeControl(`/proc/${pid}/uid_map`, lines(spec.linux.uidMappings))\n', ''],
      ['    writeControl(`/proc/${pid}/gid_map`, lines(spec.linux.gidMappings))\n', ''],
      ['      tape.setresgid(0, 0, 0)\n', ''],
      ['      tape.setresuid(0, 0, 0)\n', ''],
    ],
  },
  {
    task: 'private',
    edits: [["    if (has(spec, 'mount')) tape.mount(null, '/', null, MS_REC | MS_PRIVATE, null)\n", '']],
  },
]
