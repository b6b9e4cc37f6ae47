import type { RightAnswer } from '../../../lib/labs/answer.ts'

const DROP = '      if (!((keep >> BigInt(cap)) & 1n)) tape.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)\n'
const NO_NEW = '    if (noNewPrivileges) tape.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)\n'
const FILTER =
  '    if (spec.linux.seccomp) tape.seccomp(SECCOMP_SET_MODE_FILTER, 0, compileSeccomp(spec.linux.seccomp))\n'
const UMASK = '    if (user.umask !== undefined) tape.umask(user.umask)\n'

export const right: RightAnswer[] = [
  {
    task: 'order',
    name: 'what works on the host elsewhere',
    edits: [
      ['  network,\n', ''],
      ['  limits, // these', '  // these'],
      ['  layers, // root', '  network,\n  limits,\n  layers, // root'],
    ],
  },
  {
    task: 'capabilities',
    name: 'as many attempts as there are bits',
    edits: [
      ['cap <= last', 'cap < 64'],
      [DROP, DROP.replace('tape.prctl', 'tape.attempt.prctl')],
      ["    const last = Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'))\n", ''],
      ["import { readFileSync } from 'node:fs'\n", ''],
    ],
  },
  {
    task: 'capabilities',
    name: 'the bounding set alone: root’s execve follows at once, and gives just that',
    edits: [
      [
        '    tape.capset(\n      capHeader(),\n      capData(capabilityMask(effective), capabilityMask(permitted), capabilityMask(inheritable)),\n    )\n',
        '    void [effective, permitted, inheritable, capData, capHeader]\n',
      ],
      [NO_NEW, ''],
      [FILTER, NO_NEW + FILTER],
    ],
  },
  {
    task: 'user',
    name: 'the umask after the user',
    edits: [
      [UMASK, ''],
      [
        '    tape.setresuid(user.uid, user.uid, user.uid)\n',
        `    tape.setresuid(user.uid, user.uid, user.uid)\n${UMASK}`,
      ],
    ],
  },
  {
    task: 'no-new-privs',
    name: 'first of all',
    edits: [
      [NO_NEW, ''],
      [UMASK, NO_NEW + UMASK],
    ],
  },
  {
    task: 'seccomp',
    name: 'first of all, while CAP_SYS_ADMIN is there',
    edits: [
      [FILTER, ''],
      [UMASK, FILTER + UMASK],
    ],
  },
]
