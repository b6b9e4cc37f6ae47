import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { FILTER, NO_NEW, UMASK } from '../lines/7-run.ts'

const ONE_ID = 'a user namespace that an ordinary user makes has one id'

export const privileges: WrongAnswer[] = [
  {
    task: 'no-new-privs',
    name: 'left out',
    belief: 'without capabilities a setuid program is harmless',
    edits: [
      [NO_NEW, '    void [noNewPrivileges, PR_SET_NO_NEW_PRIVS]\n'],
      [FILTER, ''],
      [UMASK, FILTER + UMASK],
    ],
    says: 'was left out',
  },
  {
    task: 'no-new-privs',
    name: 'set to none',
    belief: 'it is the number of new privileges',
    edits: [[NO_NEW, NO_NEW.replace('PRIVS, 1', 'PRIVS, 0')]],
    says: 'EINVAL',
  },
  {
    task: 'no-new-privs',
    name: 'not for root',
    belief: 'root has nothing to gain',
    edits: [
      ['if (noNewPrivileges)', 'if (noNewPrivileges && user.uid !== 0)'],
      [FILTER, ''],
      [UMASK, FILTER + UMASK],
    ],
    says: 'was left out',
  },
  {
    task: 'no-new-privs',
    name: 'always',
    belief: 'it harms no container',
    edits: [['if (noNewPrivileges) tape', 'void noNewPrivileges\n    tape']],
    says: 'did not ask for it',
  },
  {
    task: 'no-new-privs',
    name: 'only with a profile',
    belief: 'it is there for the filter',
    edits: [['if (noNewPrivileges)', 'if (noNewPrivileges && spec.linux.seccomp)']],
    says: 'made only if `spec.linux.seccomp` is given',
  },
  {
    task: 'no-new-privs',
    name: 'one argument',
    belief: 'the zeros are there already',
    edits: [
      [NO_NEW, '    if (noNewPrivileges) tape.attempt.prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0)\n'],
      [FILTER, ''],
      [UMASK, FILTER + UMASK],
    ],
    says: 'it was refused, and a refused attempt does not end the child',
  },
  {
    task: 'no-new-privs',
    name: 'on, unless it says no',
    belief: 'what is not given is the safe thing',
    edits: [['if (noNewPrivileges)', 'if (noNewPrivileges !== false)']],
    says: 'did not ask for it',
  },
  {
    task: 'no-new-privs',
    name: 'on, where the key is there',
    belief: 'a key that is there says yes',
    edits: [
      ['if (noNewPrivileges)', "if ('noNewPrivileges' in spec.process)"],
      ['user, capabilities = {}, noNewPrivileges }', 'user, capabilities = {} }'],
    ],
    says: 'did not ask for it',
  },
  {
    task: 'no-new-privs',
    name: 'handed on as 0 or 1',
    belief: 'the kernel takes the flag as it is',
    edits: [[NO_NEW, '    tape.prctl(PR_SET_NO_NEW_PRIVS, noNewPrivileges ? 1 : 0, 0, 0, 0)\n']],
    says: 'EINVAL',
  },
  {
    task: 'no-new-privs',
    name: 'for root only',
    belief: 'another user has nothing that could be raised',
    edits: [
      ['if (noNewPrivileges)', 'if (noNewPrivileges && user.uid === 0)'],
      [
        FILTER,
        FILTER.replace('spec.linux.seccomp)', 'spec.linux.seccomp && (noNewPrivileges || user.uid === 0))'),
      ],
    ],
    says: 'was left out',
    rootOnly: ONE_ID,
  },
  {
    task: 'no-new-privs',
    name: 'for another user only',
    belief: 'root has nothing to gain',
    edits: [['if (noNewPrivileges)', 'if (noNewPrivileges && user.uid !== 0)']],
    says: 'was left out, and this container asks for it',
  },
  {
    task: 'seccomp',
    name: 'none',
    belief: 'without capabilities nothing dangerous can be called',
    edits: [[FILTER, '    void [SECCOMP_SET_MODE_FILTER, compileSeccomp]\n']],
    says: 'was never called',
  },
  {
    task: 'seccomp',
    name: 'lets all pass',
    belief: 'a filter without rules refuses everything',
    edits: [
      [
        'compileSeccomp(spec.linux.seccomp)',
        "compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] })",
      ],
    ],
    says: 'it lets every call through',
  },
  {
    task: 'seccomp',
    name: 'between the two',
    belief: 'root may install a filter at any time',
    edits: [
      [FILTER, ''],
      [NO_NEW, FILTER + NO_NEW],
    ],
    says: 'accepts a filter only after no_new_privs, or with CAP_SYS_ADMIN',
  },
  {
    task: 'seccomp',
    name: 'a program of nothing',
    belief: 'a filter that says nothing lets nothing pass',
    edits: [['compileSeccomp(spec.linux.seccomp))\n', 'new Uint8Array(8))\n    void compileSeccomp\n']],
    says: 'EINVAL',
  },
  {
    task: 'seccomp',
    name: 'all but unshare',
    belief: 'the filter is there to refuse new user namespaces',
    edits: [
      [
        'compileSeccomp(spec.linux.seccomp)',
        "compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['unshare'], action: 'SCMP_ACT_ERRNO' }] })",
      ],
    ],
    says: 'another list than the profile',
  },
  {
    task: 'seccomp',
    name: 'the profile itself',
    belief: 'the kernel reads the profile',
    edits: [['compileSeccomp(spec.linux.seccomp))', 'spec.linux.seccomp as never)\n    void compileSeccomp']],
    says: 'takes a Uint8Array',
  },
  {
    task: 'seccomp',
    name: 'without looking whether there is one',
    belief: 'every container has a profile',
    edits: [[FILTER, '    tape.seccomp(SECCOMP_SET_MODE_FILTER, 0, compileSeccomp(spec.linux.seccomp!))\n']],
    says: 'This container has no profile',
  },
  {
    task: 'seccomp',
    name: 'an attempt between the two',
    belief: 'what is refused is tried again',
    edits: [
      [FILTER, ''],
      [NO_NEW, FILTER.replace('tape.', 'tape.attempt.') + NO_NEW],
    ],
    says: 'seccomp(SECCOMP_SET_MODE_FILTER',
  },
  {
    task: 'seccomp',
    name: 'its own profile always',
    belief: 'a container without a profile needs one most',
    edits: [
      [
        FILTER,
        "    tape.seccomp(SECCOMP_SET_MODE_FILTER, 0, compileSeccomp(spec.linux.seccomp ?? { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] }))\n",
      ],
      ['    if (noNewPrivileges) tape', '    void noNewPrivileges\n    tape'],
    ],
    says: 'It has no profile',
  },
  {
    task: 'seccomp',
    name: 'for root only',
    belief: 'another user can make no dangerous call',
    edits: [[FILTER, FILTER.replace('spec.linux.seccomp)', 'spec.linux.seccomp && user.uid === 0)')]],
    says: 'was never called',
    rootOnly: ONE_ID,
  },
]
