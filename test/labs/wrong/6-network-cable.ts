import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { ADDRESS, HOST_UP, LO, PLUG, ROUTE, UP, VETH, without } from '../lines/6-network.ts'

export const cable: WrongAnswer[] = [
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
    belief: 'the second end goes where the container is',
    edits: [
      [VETH, "        host.addVeth(hostLink, 'second')\n        host.setUp('second')\n"],
      ...without(ADDRESS, UP, ROUTE),
    ],
    says: 'the second end was never moved',
  },
  {
    task: 'cable',
    name: 'one end up',
    belief: 'a cable is up when one of its ends is',
    edits: without(HOST_UP),
    says: "only the container's end was set up",
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
    says: "the host's own eth0 was set up",
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
    says: 'the host may have its own eth0',
  },
  {
    task: 'cable',
    name: 'both ends made on the host, as eth0',
    belief: 'eth0 is a name that the host does not have',
    edits: [[VETH, "        host.addVeth(hostLink, 'eth0')\n        host.moveTo('eth0', { pid })\n"]],
    says: 'the host may have its own eth0',
  },
  {
    task: 'cable',
    name: 'set up before the move',
    belief: 'a link that is up stays up when it moves',
    edits: [
      [
        VETH,
        "        host.addVeth(hostLink, 'second')\n        host.setUp('second')\n        host.moveTo('second', { pid })\n        inside.rename('second', 'eth0')\n",
      ],
      ...without(UP, ROUTE),
    ],
    says: 'eth0 is down',
  },
  {
    task: 'cable',
    name: 'both ends in the container',
    belief: 'the end that is named last is on the host',
    edits: [[VETH, "        inside.addVeth('eth0', hostLink)\n"], ...without(PLUG, HOST_UP)],
    says: 'in the container',
  },
  {
    task: 'cable',
    name: 'named by the pid',
    belief: 'any name that nobody else has will do',
    edits: [
      [
        VETH,
        "        const mine = 'veth' + pid\n        void hostLink\n        host.addVeth(mine, 'eth0', { pid })\n",
      ],
      [PLUG, '        host.setMaster(mine, bridge)\n'],
      [HOST_UP, '        host.setUp(mine)\n'],
    ],
    says: 'minilab does not know this cable',
  },
  {
    task: 'cable',
    name: 'a moment later',
    belief: 'a link needs a moment before it can be set up',
    edits: [[UP, "        setTimeout(() => inside.setUp('eth0'), 10)\n"], ...without(ROUTE)],
    says: 'after `attach` had ended',
  },
]
