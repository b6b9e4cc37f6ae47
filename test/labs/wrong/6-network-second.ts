import type { WrongAnswer } from '../../../lib/labs/answer.ts'
import { ASKED, BRIDGE_UP, HOST_UP, MAKE, PLUG, UP, VETH } from '../lines/6-network.ts'

const HOST = '    const host = openRtnetlink()\n'
const IMPORT = 'import { openRtnetlink'

export const second: WrongAnswer[] = [
  {
    task: 'second',
    name: 'one hardware address for all',
    belief: 'a hardware address matters only in its own machine',
    edits: [[UP, `        inside.setMac('eth0', '02:00:00:00:00:01')\n${UP}`]],
    says: 'eth0 of the first container and eth0 of the second',
  },
  {
    task: 'second',
    name: 'the bridge made each time',
    belief: 'each container makes what it needs',
    edits: [[ASKED, '{']],
    says: 'EEXIST',
  },
  {
    task: 'second',
    name: 'one address for all',
    belief: 'each namespace has its own addresses, so all containers can have the same',
    edits: [["addAddress('eth0', address)", "addAddress('eth0', address.replace(/\\d+\\//, '2/'))"]],
    says: 'so the first talks to itself',
  },
  {
    task: 'second',
    name: 'a name of its own choice',
    belief: "how the host's end is called matters to nobody",
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
  {
    task: 'second',
    name: 'a variable',
    belief: 'the first call makes the bridge',
    edits: [
      ['export const network', 'let made = false\n\nexport const network'],
      [ASKED, 'if (!made) {\n          made = true'],
    ],
    says: 'a variable remembers',
  },
  {
    task: 'second',
    name: 'a set of names',
    belief: 'each bridge is made by the first call for it',
    edits: [
      ['export const network', 'const made = new Set<string>()\n\nexport const network'],
      [ASKED, 'if (!made.has(bridge)) {\n          made.add(bridge)'],
    ],
    says: 'remembers which bridges it has made',
  },
  {
    task: 'second',
    name: 'an empty catch',
    belief: 'if it is there already, the error does no harm',
    edits: [
      [ASKED, 'try {'],
      [`${BRIDGE_UP}        }`, `${BRIDGE_UP}        } catch {}`],
    ],
    says: 'was caught and dropped',
  },
  {
    task: 'second',
    name: 'made again each time',
    belief: 'an old bridge is in the way',
    edits: [[ASKED, '{\n          if (host.links().some(link => link.name === bridge)) host.delete(bridge)']],
    says: 'taken away and made again',
  },
  {
    task: 'second',
    name: 'closed only where all went well',
    belief: 'after an error nothing has to be closed',
    edits: [
      ['    try {\n', '    {\n'],
      ['    } finally {\n', ''],
    ],
    says: 'belongs in `finally`',
  },
  {
    task: 'second',
    name: 'made after withCable',
    belief: 'withCable only tells the names',
    edits: [
      [
        'withCable(container, pid, ({ hostLink, bridge, bridgeAddress, address, gateway }) => {',
        'let cable: Cable | undefined\n      withCable(container, pid, chosen => (cable = chosen))\n      const { hostLink, bridge, bridgeAddress, address, gateway } = cable!\n      {',
      ],
      [
        "        inside.addRoute({ to: 'default', via: gateway })\n      })",
        "        inside.addRoute({ to: 'default', via: gateway })\n      }",
      ],
      ['type Part', 'type Cable, type Part'],
    ],
    says: 'the cable was made after withCable',
  },
  {
    task: 'second',
    name: 'asked before withCable',
    belief: 'the links stay as they were when it began',
    edits: [
      [HOST, `${HOST}    const names = host.links().map(link => link.name)\n`],
      [ASKED, 'if (!names.includes(bridge)) {'],
    ],
    says: 'before withCable',
  },
  {
    task: 'second',
    name: 'asked by networkInterfaces',
    belief: 'Node knows all links',
    edits: [
      [IMPORT, `import { networkInterfaces } from 'node:os'\n${IMPORT}`],
      [ASKED, 'if (!(bridge in networkInterfaces())) {'],
    ],
    says: 'networkInterfaces',
  },
  {
    task: 'second',
    name: 'its address each time',
    belief: 'only the bridge itself is there already',
    edits: [
      [MAKE, '          host.addBridge(bridge)\n'],
      [VETH, `        host.addAddress(bridge, bridgeAddress)\n        host.setUp(bridge)\n${VETH}`],
    ],
    says: 'EEXIST',
  },
  {
    task: 'second',
    name: 'done where it is there',
    belief: 'where the bridge is there, there is nothing to do',
    edits: [[ASKED, 'if (host.links().some(link => link.name === bridge)) return\n        {']],
    says: 'the veth pair was never made',
  },
  {
    task: 'second',
    name: 'all errors printed, and dropped',
    belief: 'a container starts also where its network is not complete',
    edits: [['    } finally {\n', '    } catch (error) {\n      console.error(error)\n    } finally {\n']],
    says: 'was caught and dropped',
  },
]
