import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { ADDRESS, HOST_UP, LO, NONE, PLUG, ROUTE, UP, VETH, without } from '../lines/6-network.ts'
import { addresses } from './6-network-addresses.ts'
import { bridge } from './6-network-bridge.ts'

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
    task: 'loopback',
    name: 'never closed',
    belief: 'a connection ends with its function',
    edits: [['      host.close()\n      inside.close()\n', '']],
    says: '`close` is never called',
  },
  {
    task: 'loopback',
    name: 'not closed in mode none',
    belief: 'only what was used has to be closed',
    edits: [['      inside.close()\n', "      if (mode !== 'none') inside.close()\n"]],
    says: 'the return in mode none',
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
    task: 'cable',
    name: 'the loopback in mode none only',
    belief: 'a container with a cable needs no loopback',
    edits: [[LO, "      if (mode === 'none') inside.setUp('lo')\n"]],
    says: 'in mode none only',
  },
  {
    task: 'cable',
    name: 'another name',
    belief: 'the end in the container can have any name',
    edits: [
      [VETH, VETH.replace('eth0', 'veth0')],
      [ADDRESS, ADDRESS.replace('eth0', 'veth0')],
      [UP, UP.replace('eth0', 'veth0')],
    ],
    says: 'called veth0',
  },
  {
    task: 'cable',
    name: 'an async function',
    belief: 'what talks to the kernel has to be awaited',
    edits: [['pid, ({ hostLink,', 'pid, async ({ hostLink,']],
    says: 'is async',
  },
  {
    task: 'cable',
    name: 'an async function that awaits',
    belief: 'the connection can be opened in there',
    edits: [
      ['pid, ({ hostLink,', 'pid, async ({ hostLink,'],
      [
        VETH,
        "        const other = await openRtnetlinkIn(pid)\n        other.addVeth('eth0', hostLink, { pid: process.pid })\n        other.close()\n",
      ],
    ],
    says: 'is async',
  },
  {
    task: 'cable',
    name: 'into our own namespace',
    belief: 'pid is the process that makes the request',
    edits: [['{ pid })', '{ pid: process.pid })']],
    says: 'ENODEV',
  },
  ...bridge,
  ...addresses,
]
