import type { Unsolved } from '../../../lib/labs/answer.ts'

export const unsolved: Unsolved[] = [
  {
    task: 'capabilities',
    edits: [
      [
        '    for (let cap = 0; cap <= last; cap++)\n      if (!((keep >> BigInt(cap)) & 1n)) tape.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)\n',
        '',
      ],
      [
        '    tape.capset(\n      capHeader(),\n      capData(capabilityMask(effective), capabilityMask(permitted), capabilityMask(inheritable)),\n    )\n',
        '',
      ],
    ],
  },
  {
    task: 'user',
    edits: [
      ['    if (user.umask !== undefined) tape.umask(user.umask)\n', ''],
      [
        '    tape.attempt.setgroups(groups.length, groups)\n    tape.setresgid(user.gid, user.gid, user.gid)\n    tape.setresuid(user.uid, user.uid, user.uid)\n',
        '',
      ],
    ],
  },
  {
    task: 'no-new-privs',
    edits: [['    if (noNewPrivileges) tape.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)\n', '']],
  },
  {
    task: 'seccomp',
    edits: [
      [
        '    if (spec.linux.seccomp) tape.seccomp(SECCOMP_SET_MODE_FILTER, 0, compileSeccomp(spec.linux.seccomp))\n',
        '',
      ],
    ],
  },
]
