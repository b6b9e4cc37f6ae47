import type { WrongAnswer } from '../../../lib/labs/answer.ts'

const LO = "      inside.setUp('lo')\n"
const NONE = "      if (mode === 'none') return\n"
const VETH = "        host.addVeth(hostLink, 'eth0', { pid })\n"
const PLUG = '        host.setMaster(hostLink, bridge)\n'
const HOST_UP = '        host.setUp(hostLink)\n'
const ADDRESS = "        inside.addAddress('eth0', address)\n"
const UP = "        inside.setUp('eth0')\n"
const ROUTE = "        inside.addRoute({ to: 'default', via: gateway })\n"

/** The lines that come after a task: not written yet. */
const without = (...lines: string[]) => lines.map((line): [string, string] => [line, ''])

export const wrong: WrongAnswer[] = [
  {
    task: 'loopback',
    name: 'left as it is',
    belief: 'lo is there in any case, so it is up',
    edits: without(LO),
    says: 'lo is down',
  },
  {
    task: 'loopback',
    name: 'set up on the host',
    belief: 'links are known by their names, wherever one asks',
    edits: [[LO, "      host.setUp('lo')\n"]],
    says: 'lo is down',
  },
  {
    task: 'loopback',
    name: 'only with a cable',
    belief: 'a container without a network needs no loopback',
    edits: [
      [LO, ''],
      [NONE, NONE + LO],
    ],
    says: 'lo is down',
  },
  {
    task: 'loopback',
    name: 'not awaited',
    belief: 'a connection is open as soon as one has asked for it',
    edits: [
      ['await openRtnetlinkIn(pid)', '(openRtnetlinkIn(pid) as never as ReturnType<typeof openRtnetlink>)'],
    ],
    says: 'is not a function',
  },
  {
    task: 'cable',
    name: 'never laid',
    belief: 'a container has an eth0 by itself',
    edits: without(VETH, PLUG, HOST_UP, ADDRESS, UP, ROUTE),
    says: 'the veth pair was never made',
  },
  {
    task: 'cable',
    name: 'both ends on the host',
    belief: 'the second end goes where the container is, because it is called eth0',
    edits: [
      [VETH, "        host.addVeth(hostLink, 'eth0')\n        host.setUp('eth0')\n"],
      ...without(ADDRESS, UP, ROUTE),
    ],
    says: 'the second end was never moved',
  },
  {
    task: 'cable',
    name: 'one end up',
    belief: 'a cable is up when one of its ends is',
    edits: without(HOST_UP),
    says: 'only the container’s end was set up',
  },
  {
    task: 'cable',
    name: 'the other end down',
    belief: 'a link that has an address is up',
    edits: without(UP, ROUTE),
    says: 'eth0 is down',
  },
  {
    task: 'cable',
    name: 'set up on the wrong side',
    belief: 'the host can set up all links, wherever they are',
    edits: [[UP, "        host.setUp('eth0')\n"]],
    says: 'ENODEV',
  },
  {
    task: 'switch',
    name: 'beside the switch',
    belief: 'what is on the same host is on the same switch',
    edits: without(PLUG),
    says: 'never given a master',
  },
  {
    task: 'switch',
    name: 'no bridge',
    belief: 'the bridge is there from the beginning, as docker0 is',
    edits: [
      [
        '          host.addBridge(bridge)\n          host.addAddress(bridge, bridgeAddress)\n          host.setUp(bridge)\n',
        '',
      ],
      ...without(PLUG),
    ],
    says: 'never made',
  },
  {
    task: 'switch',
    name: 'switched off',
    belief: 'a bridge is up when what is plugged into it is',
    edits: without('          host.setUp(bridge)\n'),
    says: 'made and never set up',
  },
  {
    task: 'switch',
    name: 'plugged in first',
    belief: 'the order of requests does not matter, as nothing runs yet',
    edits: [
      [PLUG, ''],
      [VETH, ''],
      ["        // the switch is the host's", `${VETH}${PLUG}        // the switch is the host's`],
    ],
    says: 'ENODEV',
  },
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
    name: 'the bridge without one',
    belief: 'a switch needs no address',
    edits: [['          host.addAddress(bridge, bridgeAddress)\n', '']],
    says: 'has no address',
  },
  {
    task: 'address',
    name: 'the bridge’s',
    belief: 'a container has the address of its network',
    edits: [["addAddress('eth0', address)", "addAddress('eth0', bridgeAddress)"], ...without(ROUTE)],
    says: 'Both have the same address',
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
    task: 'second',
    name: 'the bridge made each time',
    belief: 'each container makes what it needs',
    edits: [['if (!host.links().some(link => link.name === bridge)) {', '{']],
    says: 'EEXIST',
  },
  {
    task: 'second',
    name: 'one address for all',
    belief: 'each namespace has its own addresses, so all containers can have the same',
    edits: [["addAddress('eth0', address)", "addAddress('eth0', address.replace(/\\d+\\//, '2/'))"]],
    says: 'so the first one talks to itself',
  },
  {
    task: 'second',
    name: 'a name of its own choice',
    belief: 'how the host’s end is called matters to nobody',
    edits: [
      [VETH, "        host.addVeth('ml-cable', 'eth0', { pid })\n"],
      [PLUG, "        host.setMaster('ml-cable', bridge)\n"],
      [HOST_UP, "        host.setUp('ml-cable')\n"],
    ],
    says: 'EEXIST',
  },
  {
    task: 'second',
    name: 'each end isolated',
    belief: 'isolated ends are only out of reach of what is outside',
    edits: [[PLUG, `${PLUG}        host.isolate(hostLink)\n`]],
    says: 'isolated',
  },
]
