import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { CAPSET, DROP, GID, GROUPS, KEEP, LAST, LIST, LOOP, SETS, UID, UMASK } from '../lines/7-run.ts'

const ONE_ID = 'a user namespace that an ordinary user makes has one id'
const LISTS = '    const { bounding = [], effective = [], permitted = [], inheritable = [] } = capabilities\n'

export const capabilities: WrongAnswer[] = [
  {
    task: 'capabilities',
    name: 'kept over a change of user, and no capset',
    belief: 'PR_SET_KEEPCAPS says which capabilities are kept',
    edits: [
      [UMASK, `    tape.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)\n${UMASK}`],
      ['  PR_CAPBSET_DROP,\n', '  PR_CAPBSET_DROP,\n  PR_SET_KEEPCAPS,\n'],
      [CAPSET, ''],
    ],
    says: 'The reference also calls `capset(',
  },
  {
    task: 'capabilities',
    name: 'capset alone',
    belief: 'what one has given away is gone',
    edits: [
      [DROP, ''],
      [LOOP, '    void [keep, last, PR_CAPBSET_DROP]\n'],
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
        LOOP,
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
        KEEP,
        '    tape.capset(capHeader(), capData(0n, 0n, 0n))\n    void [effective, permitted, inheritable]\n    const keep = capabilityMask(bounding)\n',
      ],
    ],
    says: 'prctl(PR_CAPBSET_DROP',
  },
  {
    task: 'capabilities',
    name: "Docker's mask",
    belief: 'every container keeps the same capabilities',
    edits: [['capabilityMask(bounding)', '0xa80425fbn']],
    says: 'this container asks for 4',
  },
  {
    task: 'capabilities',
    name: "Docker's list",
    belief: 'every container keeps the same capabilities',
    edits: [
      [
        KEEP,
        KEEP.replace('bounding', 'DEFAULT.map(name => `CAP_${name}`)').replace(
          '    const',
          "    const DEFAULT = 'CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT MKNOD AUDIT_WRITE SETFCAP'.split(' ')\n    void bounding\n    const",
        ),
      ],
    ],
    says: 'this container asks for 4',
  },
  {
    task: 'capabilities',
    name: 'capset before the drops',
    belief: 'the order of the two does not matter',
    edits: [
      [CAPSET, ''],
      [KEEP, CAPSET + KEEP],
    ],
    says: 'prctl(PR_CAPBSET_DROP',
  },
  {
    task: 'capabilities',
    name: 'only the first 32',
    belief: 'a set of capabilities has 32 bits',
    edits: [['cap <= last', 'cap < 32']],
    says: 'a number above 31',
  },
  {
    task: 'capabilities',
    name: 'from 1',
    belief: 'capabilities are numbered from 1',
    edits: [['let cap = 0', 'let cap = 1']],
    says: 'Besides: CAP_CHOWN',
  },
  {
    task: 'capabilities',
    name: 'up to the last one, but not it',
    belief: 'cap_last_cap is how many there are',
    edits: [['cap <= last', 'cap < last']],
    says: 'Besides: CAP_CHECKPOINT_RESTORE',
  },
  {
    task: 'capabilities',
    name: 'the bit in place of the number',
    belief: 'prctl takes a mask',
    edits: [['tape.prctl(PR_CAPBSET_DROP, cap,', 'tape.prctl(PR_CAPBSET_DROP, 2 ** cap,']],
    says: 'EINVAL',
  },
  {
    task: 'capabilities',
    name: 'the sets in another order',
    belief: 'the sets are given in the order of capabilities(7)',
    edits: [
      [
        'capData(capabilityMask(effective), capabilityMask(permitted), capabilityMask(inheritable))',
        'capData(capabilityMask(inheritable), capabilityMask(effective), capabilityMask(permitted))',
      ],
    ],
    says: 'in another order',
  },
  {
    task: 'capabilities',
    name: 'nothing left to the process',
    belief: 'what is in the bounding set comes back by itself',
    edits: [
      [SETS, '0n, 0n, 0n'],
      [KEEP, KEEP + '    void [effective, permitted, inheritable]\n'],
    ],
    says: 'some are missing',
  },
  {
    task: 'capabilities',
    name: 'a mask of 32 bits',
    belief: 'a number has room for every mask',
    edits: [['(keep >> BigInt(cap)) & 1n', '(Number(keep) >> cap) & 1']],
    says: 'truncated to 32 bits',
  },
  {
    task: 'capabilities',
    name: 'the effective set for the bounding set',
    belief: 'all lists of the specification are the same',
    edits: [[KEEP, KEEP.replace('bounding', 'effective') + '    void bounding\n']],
    says: 'Likeliest: the drops used another set',
    rootOnly: 'a container whose user is root asks for the same in both sets',
  },
  {
    task: 'capabilities',
    name: 'all, where there is no list',
    belief: 'who lists nothing forbids nothing',
    edits: [
      [LISTS, LISTS.replace('bounding = []', 'bounding')],
      [KEEP, '    const keep = bounding ? capabilityMask(bounding) : ~0n\n'],
    ],
    says: 'a missing list is empty',
  },
  {
    task: 'capabilities',
    name: 'a list that has to be there',
    belief: 'every container has all the lists',
    edits: [
      [LISTS, LISTS.replace('bounding = []', 'bounding')],
      [KEEP, '    const keep = capabilityMask(bounding!)\n'],
    ],
    says: 'a missing list is empty',
  },
  {
    task: 'capabilities',
    name: 'effective and permitted exchanged',
    belief: 'what is permitted comes before what is effective',
    edits: [[SETS, 'capabilityMask(permitted), capabilityMask(effective), capabilityMask(inheritable)']],
    says: 'effective, permitted, inheritable',
  },
  {
    task: 'capabilities',
    name: 'the bounding set for all',
    belief: 'the bounding set is what the process holds',
    edits: [
      [SETS, 'keep, keep, 0n'],
      [LISTS, LISTS + '    void [effective, permitted, inheritable]\n'],
    ],
    says: 'spec.process.capabilities.permitted',
    rootOnly: ONE_ID,
  },
  {
    task: 'capabilities',
    name: 'all 64 bits',
    belief: 'a mask of 64 bits has 64 capabilities',
    edits: [
      ['cap <= last', 'cap < 64'],
      [LAST, ''],
      ["import { readFileSync } from 'node:fs'\n", ''],
    ],
    says: 'cap_last_cap',
  },
  {
    task: 'capabilities',
    name: 'the bounding set alone',
    belief: "root's execve follows at once, and gives just that",
    edits: [[CAPSET, '    void [effective, permitted, inheritable, capData, capHeader]\n']],
    says: 'capset was never called',
  },
  {
    task: 'capabilities',
    name: 'one capset after the other',
    belief: 'each set has its own call',
    edits: [
      [
        SETS,
        'capabilityMask(effective), capabilityMask(effective), 0n),\n    )\n    tape.capset(capHeader(), capData(capabilityMask(effective), capabilityMask(permitted), capabilityMask(inheritable)',
      ],
    ],
    says: 'took away the right to make this call',
  },
  {
    task: 'capabilities',
    name: 'the user before the drops',
    belief: 'the user comes first',
    edits: [
      [LIST, ''],
      [GROUPS, ''],
      [GID, ''],
      [UID, ''],
      [KEEP, LIST + GROUPS + GID + UID + KEEP],
    ],
    says: 'CAP_SETPCAP, which was lost with the change of user',
    rootOnly: ONE_ID,
  },
]
