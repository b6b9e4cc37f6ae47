import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { GROUPS, LIST, UID } from '../lines/7-run.ts'

const ONE_ID = 'a user namespace that an ordinary user makes has one id'

export const groups: WrongAnswer[] = [
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
    name: 'fixed groups',
    belief: 'every user is in the same groups',
    edits: [[GROUPS, '    void groups\n    tape.attempt.setgroups(2, [27, 100])\n']],
    says: 'another list',
    rootOnly: ONE_ID,
  },
  {
    task: 'user',
    name: 'the groups last',
    belief: "root's groups can be left at any time",
    edits: [
      [GROUPS, ''],
      [UID, UID + GROUPS],
    ],
    says: 'only root may choose groups',
    rootOnly: ONE_ID,
  },
  {
    task: 'user',
    name: 'a count of 0',
    belief: 'the count is an offset',
    edits: [['groups.length, groups', '0, groups']],
    says: 'a count of 0',
    rootOnly: ONE_ID,
  },
  {
    task: 'user',
    name: 'setgroups has to succeed',
    belief: 'root in a user namespace may always choose groups',
    edits: [[GROUPS, GROUPS.replace('attempt.', '')]],
    says: '`tape.attempt.setgroups(…)`',
  },
  {
    task: 'user',
    name: 'further groups only where there are some',
    belief: 'who lists no groups is in none',
    edits: [[GROUPS, `    if (groups.length > 0) ${GROUPS.trim()}\n`]],
    says: 'our groups',
    rootOnly: "an ordinary user's container cannot leave groups",
  },
  {
    task: 'user',
    name: 'the size in bytes',
    belief: 'a size is in bytes',
    edits: [['groups.length, groups', 'groups.length * 4, groups']],
    says: 'the number of groups',
    rootOnly: ONE_ID,
  },
  {
    task: 'user',
    name: 'its group among the further groups',
    belief: 'the group is one of the groups',
    edits: [[LIST, '    const groups = [user.gid, ...(user.additionalGids ?? [])]\n']],
    says: 'another list',
    rootOnly: ONE_ID,
  },
]
