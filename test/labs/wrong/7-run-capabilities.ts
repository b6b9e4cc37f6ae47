import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { CAPSET, DROP, KEEP, LOOP, SETS } from '../lines/7-run.ts'

export const capabilities: WrongAnswer[] = [
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
    name: 'Docker’s mask',
    belief: 'every container keeps the same capabilities',
    edits: [['capabilityMask(bounding)', '0xa80425fbn']],
    says: 'this container asks for 4',
  },
  {
    task: 'capabilities',
    name: 'Docker’s list',
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
    says: 'cut to 32 bits',
  },
  {
    task: 'capabilities',
    name: 'the effective set for the bounding set',
    belief: 'all lists of the specification are the same',
    edits: [[KEEP, KEEP.replace('bounding', 'effective') + '    void bounding\n']],
    says: 'Likeliest: all were dropped',
    rootOnly: 'a container whose user is root asks for the same in both sets',
  },
]
