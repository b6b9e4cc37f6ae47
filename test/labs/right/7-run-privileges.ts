import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { FILTER, GROUPS, KEEP, NO_NEW, PROGRAM, UMASK } from '../lines/7-run.ts'

export const privileges: RightAnswer[] = [
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
  {
    task: 'no-new-privs',
    name: 'bigints',
    edits: [[NO_NEW, NO_NEW.replace('1, 0, 0, 0', '1n, 0n, 0n, 0n')]],
  },
  {
    task: 'seccomp',
    name: 'an early return, and without the brake on speculation',
    edits: [
      [
        FILTER,
        '    const profile = spec.linux.seccomp\n    if (profile === undefined) return\n    tape.seccomp(SECCOMP_SET_MODE_FILTER, 1 << 2, compileSeccomp(profile))\n',
      ],
    ],
  },
]
