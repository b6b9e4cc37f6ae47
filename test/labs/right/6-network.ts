import type { RightAnswer } from '../../../lib/labs/answer.ts'

const VETH = "host.addVeth(hostLink, 'eth0', { pid })"

export const right: RightAnswer[] = [
  {
    task: 'loopback',
    name: 'a connection for it alone',
    edits: [
      [
        '    const inside = await openRtnetlinkIn(pid)\n',
        "    const first = await openRtnetlinkIn(pid)\n    first.setUp('lo')\n    first.close()\n    const inside = await openRtnetlinkIn(pid)\n",
      ],
      ["      inside.setUp('lo')\n", ''],
    ],
  },
  {
    task: 'cable',
    name: 'made on the host, and its second end moved',
    edits: [
      [
        VETH,
        "host.addVeth(hostLink, 'second')\n        host.moveTo('second', { pid })\n        inside.rename('second', 'eth0')",
      ],
    ],
  },
  {
    task: 'cable',
    name: 'made inside, with the first end outside',
    edits: [[VETH, "inside.addVeth('eth0', hostLink, { pid: process.pid })"]],
  },
  {
    task: 'switch',
    name: 'plugged in while the bridge is down',
    edits: [
      ['          host.setUp(bridge)\n', ''],
      ['        host.setUp(hostLink)\n', '        host.setUp(hostLink)\n        host.setUp(bridge)\n'],
    ],
  },
  {
    task: 'address',
    name: 'given to a link that is up',
    edits: [
      ["        inside.addAddress('eth0', address)\n", ''],
      [
        "        inside.setUp('eth0')\n",
        "        inside.setUp('eth0')\n        inside.addAddress('eth0', address)\n",
      ],
    ],
  },
  {
    task: 'route',
    name: 'to 0.0.0.0/0',
    edits: [["to: 'default', via: gateway", "to: '0.0.0.0/0', via: gateway, dev: 'eth0'"]],
  },
  {
    task: 'second',
    name: 'asked by its address',
    edits: [
      [
        'host.links().some(link => link.name === bridge)',
        'host.addresses().some(({ dev }) => dev === bridge)',
      ],
    ],
  },
]
