import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { HARDENING, LAYERS, NAMESPACES, PROGRAM, ROOT } from '../lines/7-run.ts'
import { capabilities } from './7-run-capabilities.ts'
import { groups } from './7-run-groups.ts'
import { privileges } from './7-run-privileges.ts'
import { user } from './7-run-user.ts'

export const wrong: WrongAnswer[] = [
  {
    task: 'order',
    name: 'layers after root',
    belief: 'the layers are laid upon the root',
    edits: [
      [LAYERS, ''],
      [ROOT, ROOT + LAYERS],
    ],
    says: '`layers` comes before `root`',
  },
  {
    task: 'order',
    name: 'hardened first',
    belief: 'the sooner rights are dropped, the better',
    edits: [
      [HARDENING, ''],
      [LAYERS, HARDENING + LAYERS],
    ],
    says: '`hardening` comes before `layers` in `parts`',
  },
  {
    task: 'order',
    name: 'hardened after the program has started',
    belief: 'a program can be restricted once it runs',
    edits: [
      [HARDENING, ''],
      [PROGRAM, PROGRAM + HARDENING],
    ],
    says: 'the program is not last',
  },
  {
    task: 'order',
    name: 'without layers',
    belief: 'an image is a directory, and root pivots into it',
    edits: [[LAYERS, '']],
    says: 'has no layers',
  },
  {
    task: 'order',
    name: 'hardened between layers and root',
    belief: 'the root is the last thing that the container needs',
    edits: [
      [HARDENING, ''],
      [ROOT, HARDENING + ROOT],
    ],
    says: '`hardening` comes before `root` in `parts`',
  },
  {
    task: 'order',
    name: 'namespaces after the hardening',
    belief: 'the order of parts that mount nothing does not matter',
    edits: [
      [NAMESPACES, ''],
      [PROGRAM, '  namespaces,\n' + PROGRAM],
    ],
    says: 'took away the right to make this call',
  },
  {
    task: 'order',
    name: 'without the program',
    belief: 'the program is started by minilab',
    edits: [[PROGRAM, '  // program\n']],
    says: 'has no program',
  },
  {
    task: 'order',
    name: 'layers on both sides of root',
    belief: 'what is mounted before root is gone after it',
    edits: [[ROOT, ROOT + LAYERS.replace('layers,', 'layers, // again:')]],
    says: 'layers is in `parts` twice',
  },
  {
    task: 'order',
    name: 'by their names',
    belief: 'a list of parts is sorted by its names',
    edits: [
      [
        '  program, // its execve does not return\n]',
        '  program, // its execve does not return\n].sort((a, b) => a.name.localeCompare(b.name))',
      ],
    ],
    says: 'took away the right to make this call',
  },
  {
    task: 'order',
    name: 'names in the place of parts',
    belief: 'parts are known by their names',
    edits: [[HARDENING, "  'hardening' as never,\n"]],
    says: 'is no part with a name',
  },
  ...capabilities,
  ...user,
  ...groups,
  ...privileges,
]
