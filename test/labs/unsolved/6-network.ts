import type { Unsolved } from '../../../lib/labs/answer.ts'
import { ADDRESS, ASKED, HOST_UP, MAKE, PLUG, ROUTE, UP, VETH } from '../lines/6-network.ts'

export const unsolved: Unsolved[] = [
  {
    task: 'cable',
    edits: [
      [VETH, ''],
      [HOST_UP, ''],
      [UP, ''],
    ],
  },
  {
    task: 'switch',
    edits: [
      [MAKE, ''],
      [PLUG, ''],
    ],
  },
  { task: 'address', edits: [[ADDRESS, '']] },
  { task: 'route', edits: [[ROUTE, '']] },
  { task: 'second', edits: [[ASKED, '{']] },
]
