import type { RightAnswer } from '../../../lib/labs/answer.ts'
import {
  CAPSET,
  DROP,
  FILTER,
  GID,
  GROUPS,
  KEEP,
  LAST,
  LAYERS,
  LIMITS,
  NAMESPACES,
  NETWORK,
  NO_NEW,
  PROGRAM,
  ROOT,
  UID,
  UMASK,
} from '../lines/7-run.ts'

export const right: RightAnswer[] = [
  {
    task: 'order',
    name: 'what works on the host elsewhere',
    edits: [
      [NETWORK, ''],
      [LIMITS, ''],
      [LAYERS, NETWORK + LIMITS + LAYERS],
    ],
  },
  {
    task: 'order',
    name: 'namespaces after root: with a user namespace the kernel separates the mounts by itself',
    edits: [
      [NAMESPACES, ''],
      [ROOT, ROOT + '  namespaces,\n'],
    ],
  },
  {
    task: 'order',
    name: 'what works on the host behind the program',
    edits: [
      [NETWORK, ''],
      [LIMITS, ''],
      [PROGRAM, PROGRAM + NETWORK + LIMITS],
    ],
  },
  {
    task: 'capabilities',
    name: 'as many attempts as there are bits',
    edits: [
      ['cap <= last', 'cap < 64'],
      [DROP, DROP.replace('tape.prctl', 'tape.attempt.prctl')],
      [LAST, ''],
      ["import { readFileSync } from 'node:fs'\n", ''],
    ],
  },
  {
    task: 'capabilities',
    name: 'the bounding set alone: root’s execve follows at once, and gives just that',
    edits: [
      [CAPSET, '    void [effective, permitted, inheritable, capData, capHeader]\n'],
      [NO_NEW, ''],
      [FILTER, NO_NEW + FILTER],
    ],
  },
  {
    task: 'capabilities',
    name: 'from the last one down',
    edits: [['let cap = 0; cap <= last; cap++', 'let cap = last; cap >= 0; cap--']],
  },
  {
    task: 'capabilities',
    name: 'those that our own bounding set has',
    edits: [
      [
        KEEP,
        KEEP +
          "    const [, ours = ''] = /CapBnd:\\s*(\\w+)/.exec(readFileSync('/proc/self/status', 'utf8')) ?? []\n",
      ],
      [LAST, ''],
      ['cap <= last', 'BigInt(`0x${ours}`) >> BigInt(cap)'],
    ],
  },
  {
    task: 'capabilities',
    name: 'once more for what an ordinary user keeps',
    edits: [
      [UID, '    tape.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)\n' + UID],
      ['  PR_CAPBSET_DROP,\n', '  PR_CAPBSET_DROP,\n  PR_SET_KEEPCAPS,\n'],
    ],
  },
  {
    task: 'user',
    name: 'the umask after the user',
    edits: [
      [UMASK, ''],
      [UID, `    tape.setresuid(user.uid, user.uid, user.uid)\n${UMASK}`],
    ],
  },
  {
    task: 'user',
    name: 'only where it is not root',
    edits: [
      [GROUPS, '    if (user.uid !== 0) {\n' + GROUPS],
      [UID, UID + '    }\n'],
    ],
  },
  {
    task: 'user',
    name: 'the group before the further groups',
    edits: [
      [GROUPS, ''],
      [GID, GID + GROUPS],
    ],
  },
  {
    task: 'user',
    name: 'the usual umask unless another is given',
    edits: [[UMASK, '    tape.umask(user.umask ?? 0o022)\n']],
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
    task: 'no-new-privs',
    name: 'before the user changes',
    edits: [
      [NO_NEW, ''],
      [GROUPS, NO_NEW + GROUPS],
    ],
  },
  {
    task: 'no-new-privs',
    name: 'asked for true',
    edits: [['if (noNewPrivileges)', 'if (noNewPrivileges === true)']],
  },
  {
    task: 'seccomp',
    name: 'first of all, while CAP_SYS_ADMIN is there',
    edits: [
      [FILTER, ''],
      [UMASK, FILTER + UMASK],
    ],
  },
  {
    task: 'seccomp',
    name: 'first of all where no_new_privs is not asked for',
    edits: [
      [
        FILTER,
        '    const filter = spec.linux.seccomp && compileSeccomp(spec.linux.seccomp)\n    if (filter && noNewPrivileges) tape.seccomp(SECCOMP_SET_MODE_FILTER, 0, filter)\n',
      ],
      [
        UMASK,
        '    if (spec.linux.seccomp && !noNewPrivileges)\n      tape.seccomp(SECCOMP_SET_MODE_FILTER, 0, compileSeccomp(spec.linux.seccomp))\n' +
          UMASK,
      ],
    ],
  },
  {
    task: 'seccomp',
    name: 'in the middle, after no_new_privs',
    edits: [
      [FILTER, ''],
      [NO_NEW, ''],
      [KEEP, NO_NEW + FILTER + KEEP],
    ],
  },
  {
    task: 'user',
    name: 'the refusal of setgroups allowed by its name',
    edits: [[GROUPS, GROUPS.replace('attempt', "allow('EPERM')")]],
  },
  {
    task: 'seccomp',
    name: 'in a part by itself',
    edits: [
      [FILTER, ''],
      [
        'export const parts',
        `const filter: Part = {\n  name: 'filter',\n  inside(tape, { spec }) {\n${FILTER}  },\n}\n\nexport const parts`,
      ],
      [PROGRAM, '  filter,\n' + PROGRAM],
    ],
  },
]
