import type { Unsolved } from '../../../lib/labs/answer.ts'
import { CAPSET, DROP, FILTER, GID, GROUPS, LOOP, NO_NEW, UID, UMASK } from '../lines/7-run.ts'

export const unsolved: Unsolved[] = [
  {
    task: 'capabilities',
    edits: [
      [LOOP + DROP, ''],
      [CAPSET, ''],
    ],
  },
  {
    task: 'user',
    edits: [
      [UMASK, ''],
      [GROUPS + GID + UID, ''],
    ],
  },
  {
    task: 'no-new-privs',
    edits: [[NO_NEW, '']],
  },
  {
    task: 'seccomp',
    edits: [[FILTER, '']],
  },
]
