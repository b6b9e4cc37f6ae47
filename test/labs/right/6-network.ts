import type { RightAnswer } from '../../../lib/labs/answer.ts'
import { ADDRESS, ASKED, BRIDGE, BRIDGE_UP, HOST_UP, INSIDE, LO, NONE, UP, VETH } from '../lines/6-network.ts'
import { others } from './6-network-others.ts'

export const right: RightAnswer[] = [
  {
    task: 'loopback',
    name: 'a connection for it alone',
    edits: [
      [
        INSIDE,
        "    const first = await openRtnetlinkIn(pid)\n    try {\n      first.setUp('lo')\n    } finally {\n      first.close()\n    }\n    const inside = await openRtnetlinkIn(pid)\n",
      ],
      [LO, ''],
    ],
  },
  {
    task: 'cable',
    name: 'made on the host, and its second end moved',
    edits: [
      [
        VETH.trim(),
        "host.addVeth(hostLink, 'second')\n        host.moveTo('second', { pid })\n        inside.rename('second', 'eth0')",
      ],
    ],
  },
  {
    task: 'cable',
    name: 'made inside, with the first end outside',
    edits: [[VETH.trim(), "inside.addVeth('eth0', hostLink, { pid: process.pid })"]],
  },
  {
    task: 'switch',
    name: 'plugged in while the bridge is down',
    edits: [
      [BRIDGE_UP, ''],
      [HOST_UP, '        host.setUp(hostLink)\n        host.setUp(bridge)\n'],
    ],
  },
  {
    task: 'address',
    name: 'given to a link that is up',
    edits: [
      [ADDRESS, ''],
      [UP, "        inside.setUp('eth0')\n        inside.addAddress('eth0', address)\n"],
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
  {
    task: 'loopback',
    name: 'closed one by one',
    edits: [
      [
        '      host.close()\n      inside.close()\n',
        '      try {\n        inside.close()\n      } finally {\n        host.close()\n      }\n',
      ],
    ],
  },
  {
    task: 'loopback',
    name: 'with the cable, and in mode none by itself',
    edits: [
      [LO, ''],
      [NONE, "      if (mode === 'none') {\n        inside.setUp('lo')\n        return\n      }\n"],
      [UP, UP + LO],
    ],
  },
  {
    task: 'cable',
    name: "the container's end up first",
    edits: [
      [HOST_UP, ''],
      [UP, UP + HOST_UP],
    ],
  },
  {
    task: 'switch',
    name: 'the cable first, and then the bridge',
    edits: [
      [VETH, ''],
      ['        // the bridge is on the host', VETH + '        // the bridge is on the host'],
    ],
  },
  {
    task: 'switch',
    name: 'up before it has an address',
    edits: [
      [BRIDGE_UP, ''],
      [BRIDGE, BRIDGE + BRIDGE_UP],
    ],
  },
  {
    task: 'address',
    name: "its length from the bridge's address",
    edits: [
      [
        "addAddress('eth0', address)",
        "addAddress('eth0', address.split('/')[0] + '/' + bridgeAddress.split('/')[1])",
      ],
    ],
  },
  {
    task: 'route',
    name: "by the bridge's address",
    edits: [['via: gateway', "via: bridgeAddress.split('/')[0]!"]],
  },
  {
    task: 'second',
    name: 'asked by /sys',
    edits: [
      ['import { openRtnetlink', "import { existsSync } from 'node:fs'\nimport { openRtnetlink"],
      [ASKED, 'if (!existsSync(`/sys/class/net/${bridge}`)) {'],
    ],
  },
  {
    task: 'second',
    name: 'tried, and only this refusal expected',
    edits: [
      [ASKED, 'try {'],
      [
        `${BRIDGE_UP}        }`,
        `${BRIDGE_UP}        } catch (error) {\n          if ((error as { code?: string }).code !== 'EEXIST') throw error\n        }`,
      ],
    ],
  },
  {
    task: 'second',
    name: 'asked for by its name',
    edits: [
      [
        ASKED,
        'const isThere = () => {\n          try {\n            return host.link(bridge)\n          } catch {\n            return undefined\n          }\n        }\n        if (!isThere()) {',
      ],
    ],
  },
  {
    task: 'second',
    name: 'a list of names',
    edits: [
      [ASKED, 'const names = host.links().map(({ name }) => name)\n        if (!names.includes(bridge)) {'],
    ],
  },
  ...others,
]
