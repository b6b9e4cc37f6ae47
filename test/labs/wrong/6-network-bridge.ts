import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import {
  ADDRESS,
  ASKED,
  BRIDGE_ADDRESS,
  BRIDGE_UP,
  HOST_UP,
  MAKE,
  PLUG,
  ROUTE,
  VETH,
  without,
} from '../lines/6-network.ts'

export const bridge: WrongAnswer[] = [
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
    edits: [[MAKE, ''], ...without(PLUG)],
    says: 'never made',
  },
  {
    task: 'switch',
    name: 'switched off',
    belief: 'a bridge is up when what is plugged into it is',
    edits: without(BRIDGE_UP),
    says: 'made and never set up',
  },
  {
    task: 'switch',
    name: 'plugged in first',
    belief: 'the order of requests does not matter, as nothing runs yet',
    edits: [
      [PLUG, ''],
      [VETH, ''],
      ['        // the bridge is on the host', `${VETH}${PLUG}        // the bridge is on the host`],
    ],
    says: 'the bridge was not made, or not yet',
  },
  {
    task: 'switch',
    name: 'without an address',
    belief: 'a switch needs no address',
    edits: [[BRIDGE_ADDRESS, '']],
    says: 'has no address',
  },
  {
    task: 'switch',
    name: 'a fixed address',
    belief: 'the bridge always has the same address',
    edits: [[BRIDGE_ADDRESS, "          host.addAddress(bridge, '10.44.0.1/24')\n"], ...without(ROUTE)],
    says: 'a fixed address',
  },
  {
    task: 'switch',
    name: 'all addresses fixed',
    belief: 'the network is always the same',
    edits: [
      [BRIDGE_ADDRESS, "          host.addAddress(bridge, '10.44.0.1/24')\n"],
      [
        ADDRESS,
        "        inside.addAddress('eth0', hostLink.endsWith('1') ? '10.44.0.2/24' : '10.44.0.3/24')\n",
      ],
      ['via: gateway', "via: '10.44.0.1'"],
    ],
    says: 'a fixed address',
  },
  {
    task: 'switch',
    name: 'its address without the length',
    belief: 'an address is four numbers',
    edits: [['addAddress(bridge, bridgeAddress)', 'addAddress(bridge, gateway)'], ...without(ROUTE)],
    says: 'without its length',
  },
  {
    task: 'switch',
    name: 'its address at the cable',
    belief: "the cable is the host's link",
    edits: [
      [BRIDGE_ADDRESS, ''],
      [HOST_UP, HOST_UP + '        host.addAddress(hostLink, bridgeAddress)\n'],
      ...without(ROUTE),
    ],
    says: 'has no address',
  },
  {
    task: 'switch',
    name: 'any bridge',
    belief: 'one bridge is enough for all',
    edits: [[ASKED, "if (!host.links().some(link => link.kind === 'bridge')) {"]],
    says: 'another bridge was taken for it',
  },
  {
    task: 'switch',
    name: 'the other way round',
    belief: 'the bridge is plugged into the cable',
    edits: [[PLUG, '        host.setMaster(bridge, hostLink)\n']],
    says: 'setMaster(hostLink, bridge)',
  },
  {
    task: 'switch',
    name: 'its length written down',
    belief: 'a network always has 24 bits',
    edits: [
      ['addAddress(bridge, bridgeAddress)', 'addAddress(bridge, `${gateway}/24`)'],
      ['bridge, bridgeAddress, address, gateway', 'bridge, address, gateway'],
    ],
    says: 'the length was written down',
  },
]
