import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { ADDRESS, ROUTE, UP, VETH, without } from '../lines/6-network.ts'

export const addresses: WrongAnswer[] = [
  {
    task: 'address',
    name: 'at the wrong end',
    belief: 'the host reaches the container by the end that it sees',
    edits: [[ADDRESS, '        host.addAddress(hostLink, address)\n'], ...without(ROUTE)],
    says: 'the end that stays on the host',
  },
  {
    task: 'address',
    name: 'without its length',
    belief: 'what is behind the slash is a comment',
    edits: [
      ["addAddress('eth0', address)", "addAddress('eth0', address.replace(/\\/.*/, ''))"],
      ...without(ROUTE),
    ],
    says: 'without the length of its network',
  },
  {
    task: 'address',
    name: 'before the move',
    belief: 'a link keeps its address wherever it goes',
    edits: [
      [
        VETH,
        "        host.addVeth(hostLink, 'eth0')\n        host.addAddress('eth0', address)\n        host.moveTo('eth0', { pid })\n",
      ],
      ...without(ADDRESS, ROUTE),
    ],
    says: 'a move takes addresses away',
  },
  {
    task: 'address',
    name: 'the bridge’s',
    belief: 'a container has the address of its network',
    edits: [["addAddress('eth0', address)", "addAddress('eth0', bridgeAddress)"], ...without(ROUTE)],
    says: 'Both have the same address',
  },
  {
    task: 'address',
    name: 'a fixed address',
    belief: 'the container always has the same address',
    edits: [[ADDRESS, "        inside.addAddress('eth0', '10.44.0.2/24')\n"], ...without(ROUTE)],
    says: 'a fixed address',
  },
  {
    task: 'address',
    name: 'another one of its network',
    belief: 'any free address will do',
    edits: [[ADDRESS, "        inside.addAddress('eth0', address.replace(/\\d+\\//, '77/'))\n"]],
    says: 'was given another address',
  },
  {
    task: 'address',
    name: 'at the loopback',
    belief: 'the loopback is the container’s own link',
    edits: [[ADDRESS, "        inside.addAddress('lo', address)\n"], ...without(ROUTE)],
    says: 'eth0 has no address',
  },
  {
    task: 'route',
    name: 'left out',
    belief: 'an address is enough to reach everything',
    edits: without(ROUTE),
    says: 'There is no default route',
  },
  {
    task: 'route',
    name: 'before eth0 is up',
    belief: 'a route waits until its link is up',
    edits: [
      [ROUTE, ''],
      [UP, ROUTE + UP],
    ],
    says: 'ENETUNREACH',
  },
  {
    task: 'route',
    name: 'without a gateway',
    belief: 'all the world is at the other end of eth0',
    edits: [["{ to: 'default', via: gateway }", "{ to: 'default', dev: 'eth0' }"]],
    says: 'names no gateway',
  },
  {
    task: 'route',
    name: 'to the network',
    belief: 'the route to its own network is the way out',
    edits: [["to: 'default', via: gateway", "to: '10.0.0.0/8', via: gateway"]],
    says: 'There is no default route',
  },
  {
    task: 'route',
    name: 'a fixed gateway',
    belief: 'the gateway is always the same',
    edits: [['via: gateway', "via: '10.44.0.1'"]],
    says: 'ENETUNREACH',
  },
  {
    task: 'route',
    name: 'to itself',
    belief: 'the way out begins at the container',
    edits: [['via: gateway', "via: address.replace(/\\/.*/, '')"]],
    says: 'The default route leads to',
  },
  {
    task: 'route',
    name: 'on the host',
    belief: 'the host is the router',
    edits: [[ROUTE, ROUTE.replace('inside', 'host')]],
    says: 'was added on the host',
  },
]
