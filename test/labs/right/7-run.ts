import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { LAYERS, LIMITS, NAMESPACES, NETWORK, PROGRAM, ROOT } from '../lines/7-run.ts'
import { privileges } from './7-run-privileges.ts'
import { rights } from './7-run-rights.ts'

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
    task: 'order',
    name: 'put together from lists',
    edits: [
      ['export const parts: Part[] = [\n', 'const all = new Set<Part>([\n'],
      [
        '  program, // its execve does not return\n]\n',
        '  program, // its execve does not return\n])\nexport const parts: Part[] = new Array<Part>().concat([...all])\n',
      ],
    ],
  },
  ...rights,
  ...privileges,
]
