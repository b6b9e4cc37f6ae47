import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { CAPSET, DROP, GID, GROUPS, KEEP, LAST, LIST, LOOP, NO_NEW, UID, UMASK } from '../lines/7-run.ts'

export const rights: RightAnswer[] = [
  {
    task: 'capabilities',
    name: 'calls besides that change nothing',
    edits: [
      [UMASK, `    tape.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)\n    tape.umask(0o22)\n${UMASK}`],
      ['  PR_CAPBSET_DROP,\n', '  PR_CAPBSET_DROP,\n  PR_SET_KEEPCAPS,\n'],
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
    task: 'user',
    name: 'the refusal of setgroups allowed by its name',
    edits: [[GROUPS, GROUPS.replace('attempt', "allow('EPERM')")]],
  },
  {
    task: 'capabilities',
    name: 'the mask turned over, and shifted',
    edits: [
      [
        LOOP,
        '    let rest = ~keep & ((2n << BigInt(last)) - 1n)\n    for (let cap = 0; rest > 0n; cap++, rest >>= 1n)\n',
      ],
      [DROP, '      if (rest & 1n) tape.prctl(PR_CAPBSET_DROP, cap, 0, 0, 0)\n'],
      [
        LAST,
        "    const last = parseInt(readFileSync('/proc/sys/kernel/cap_last_cap').toString().trim(), 10)\n",
      ],
    ],
  },
  {
    task: 'capabilities',
    name: 'structs by hand',
    edits: [
      ['  capData,\n  capHeader,\n', ''],
      [
        CAPSET,
        `    const header = new DataView(new ArrayBuffer(8))
    header.setUint32(0, 0x20080522, true)
    const data = new DataView(new ArrayBuffer(24))
    for (const [i, set] of [effective, permitted, inheritable].entries()) {
      const mask = capabilityMask(new Set(set))
      data.setUint32(i * 4, Number(BigInt.asUintN(32, mask)), true)
      data.setUint32(12 + i * 4, Number(mask >> 32n), true)
    }
    tape.capset(new Uint8Array(header.buffer), Buffer.from(data.buffer))
`,
      ],
    ],
  },
  {
    task: 'user',
    name: 'the saved user as it is: execve makes it the effective one',
    edits: [[UID, '    tape.setresuid(user.uid, user.uid, -1)\n']],
  },
  {
    task: 'user',
    name: 'a set of groups, and the umask at the very end of it',
    edits: [
      [UMASK, ''],
      [LIST, '    const groups = new Set(user.additionalGids)\n'],
      [GROUPS, '    tape.attempt.setgroups(groups.size, Array.from(groups))\n'],
      [NO_NEW, `    if ('umask' in user) tape.umask(user.umask!)\n${NO_NEW}`],
    ],
  },
  {
    task: 'user',
    name: 'the user only where it is not root',
    edits: [[UID, `    if (user.uid !== 0) ${UID.trim()}\n`]],
  },
]
