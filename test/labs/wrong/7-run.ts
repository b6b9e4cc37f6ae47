import type { WrongAnswer } from '../../../lib/labs/answer.ts'

const LAYERS = '  layers, // root pivots into what this one mounts\n'
const ROOT = '  root, // from here on no path of the host can be reached\n'
const HARDENING = '  hardening, // what the parts before it need is gone from here on\n'
const PROGRAM = '  program, // its execve does not return\n'
const DROP = '      if (!((keep >> BigInt(cap)) & 1n)) tape.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)\n'
const CAPSET =
  '    tape.capset(\n      capHeader(),\n      capData(capabilityMask(effective), capabilityMask(permitted), capabilityMask(inheritable)),\n    )\n'
const GROUPS = '    tape.attempt.setgroups(groups.length, groups)\n'
const GID = '    tape.setresgid(user.gid, user.gid, user.gid)\n'
const UID = '    tape.setresuid(user.uid, user.uid, user.uid)\n'
const UMASK = '    if (user.umask !== undefined) tape.umask(user.umask)\n'
const NO_NEW = '    if (noNewPrivileges) tape.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)\n'
const FILTER =
  '    if (spec.linux.seccomp) tape.seccomp(SECCOMP_SET_MODE_FILTER, 0, compileSeccomp(spec.linux.seccomp))\n'

const ONE_ID = 'a user namespace that an ordinary user makes has one id'

export const wrong: WrongAnswer[] = [
  {
    task: 'order',
    name: 'layers after root',
    belief: 'the layers are laid upon the root',
    edits: [
      [LAYERS, ''],
      [ROOT, ROOT + LAYERS],
    ],
    says: 'mount(',
  },
  {
    task: 'order',
    name: 'hardened first',
    belief: 'the sooner rights are dropped, the better',
    edits: [
      [HARDENING, ''],
      [LAYERS, HARDENING + LAYERS],
    ],
    says: 'took away the right to it',
  },
  {
    task: 'order',
    name: 'hardened after the program has started',
    belief: 'a program can be restricted once it runs',
    edits: [
      [HARDENING, ''],
      [PROGRAM, PROGRAM + HARDENING],
    ],
    says: 'the program does not stand last',
  },
  {
    task: 'order',
    name: 'without layers',
    belief: 'an image is a directory, and root pivots into it',
    edits: [[LAYERS, '']],
    says: 'there is no layers',
  },
  {
    task: 'capabilities',
    name: 'capset alone',
    belief: 'what one has given away is gone',
    edits: [
      [DROP, ''],
      ['    for (let cap = 0; cap <= last; cap++)\n', '    void [keep, last, PR_CAPBSET_DROP]\n'],
    ],
    says: 'capset does not change this set',
  },
  {
    task: 'capabilities',
    name: 'nothing dropped',
    belief: 'root in a user namespace has no power anyway',
    edits: [
      [DROP, ''],
      [
        '    for (let cap = 0; cap <= last; cap++)\n',
        '    void [keep, last, PR_CAPBSET_DROP, capHeader, capData, effective, permitted, inheritable]\n',
      ],
      [CAPSET, ''],
    ],
    says: 'capset was never called',
  },
  {
    task: 'capabilities',
    name: 'the wrong ones',
    belief: 'the list names what is to be dropped',
    edits: [['if (!((keep >> BigInt(cap)) & 1n))', 'if ((keep >> BigInt(cap)) & 1n)']],
    says: 'Besides',
  },
  {
    task: 'capabilities',
    name: 'the sets of the process first',
    belief: 'the order of the two does not matter',
    edits: [
      [CAPSET, ''],
      [
        '    const keep = capabilityMask(bounding)\n',
        '    tape.capset(capHeader(), capData(0n, 0n, 0n))\n    void [effective, permitted, inheritable]\n    const keep = capabilityMask(bounding)\n',
      ],
    ],
    says: 'prctl(PR_CAPBSET_DROP',
  },
  {
    task: 'user',
    name: 'the user before the group',
    belief: 'user and group can be changed in any order',
    edits: [
      [UID, ''],
      [GID, UID + GID],
    ],
    says: 'setresgid(1001, 1001, 1001) = -1 EPERM',
    rootOnly: ONE_ID,
  },
  {
    task: 'user',
    name: 'no group',
    belief: 'the group comes with the user',
    edits: [[GID, '']],
    says: 'setresgid was never called',
    rootOnly: ONE_ID,
  },
  {
    task: 'user',
    name: 'no further groups',
    belief: 'further groups are those of the user in /etc/group',
    edits: [[GROUPS, '    void groups\n']],
    says: 'setgroups was never called',
    rootOnly: ONE_ID,
  },
  {
    task: 'user',
    name: 'no umask',
    belief: 'the umask is the shell’s matter',
    edits: [[UMASK, '']],
    says: 'umask was never called',
  },
  {
    task: 'user',
    name: 'the usual umask',
    belief: 'every container has the umask 022',
    edits: [[UMASK, '    tape.umask(0o022)\n']],
    says: 'Expected 0027',
  },
  {
    task: 'user',
    name: 'the umask of no user',
    belief: 'only another user than root needs one',
    edits: [['user.umask !== undefined', 'user.umask !== undefined && user.uid > 1000']],
    says: 'umask was never called',
  },
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
    says: 'EACCES',
  },
  {
    task: 'seccomp',
    name: 'a program of nothing',
    belief: 'a filter that says nothing lets nothing pass',
    edits: [['compileSeccomp(spec.linux.seccomp))\n', 'new Uint8Array(8))\n    void compileSeccomp\n']],
    says: 'EINVAL',
  },
]
