import type { Unsolved } from '../../../lib/labs/answer.ts'

export const unsolved: Unsolved[] = [
  {
    task: 'cable',
    edits: [
      ["        host.addVeth(hostLink, 'eth0', { pid })\n", ''],
      ['        host.setUp(hostLink)\n', ''],
      ["        inside.setUp('eth0')\n", ''],
    ],
  },
  {
    task: 'switch',
    edits: [
      [
        '          host.addBridge(bridge)\n          host.addAddress(bridge, bridgeAddress)\n          host.setUp(bridge)\n',
        '',
      ],
      ['        host.setMaster(hostLink, bridge)\n', ''],
    ],
  },
  { task: 'address', edits: [["        inside.addAddress('eth0', address)\n", '']] },
  { task: 'route', edits: [["        inside.addRoute({ to: 'default', via: gateway })\n", '']] },
  { task: 'second', edits: [['if (!host.links().some(link => link.name === bridge)) {', '{']] },
]
