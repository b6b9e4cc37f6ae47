import { certain } from '../../lib/common/certain.ts'
import { isPart } from '../../lib/container/part.ts'
import type { Wiring } from '../../chapters/6-network/wiring.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import { changePart } from '../../lib/guide/mutant.ts'
import { inSandbox } from '../../lib/labs/cable.ts'
import type { Exercise } from '../../lib/labs/exercise.ts'
import { type Asked, firstStage, newSubnet, withCauses } from './asked.ts'
import { bridgesStage } from './bridges.ts'
import { type Left, noting, NOTHING_LEFT } from './closed.ts'
import { advised } from './refused.ts'
import { withoutCable } from './without-cable.ts'

/** The stages about the container's cable; routing and translation are done by the host. */
const ABOUT_CABLES = ['A veth pair and a bridge', 'Packets between container and host', 'A second container']

export const exercise: Exercise<Wiring> = {
  ...chapter('network'),
  goal: 'You connect a container to the host and to other containers, request by request. Afterwards you can say what `docker network` makes, and find the missing piece when packets do not arrive.',
  manPages: ['network_namespaces(7)', 'rtnetlink(7)', 'netlink(7)', 'veth(4)', 'ip-link(8)', 'ip-route(8)'],
  image: 'as the root',
  exports: { network: { part: 'network' } },
  onHost: true,
  build(step) {
    const left: Left = { ...NOTHING_LEFT }
    const subnet = newSubnet()
    const asked: Asked = {}
    const connected = changePart(step, 'network', part => inSandbox(noting(advised(part), left)))
    const [first, ...others] = connected.stages
      .filter(({ title }) => ABOUT_CABLES.includes(title))
      .map(stage => withCauses(stage, asked))
    const part = certain(connected.parts.find(part => isPart(part, 'network')))
    return {
      ...connected,
      async plan(plan, experiment) {
        await step.plan?.(plan, experiment)
        if (plan.network) plan.network.pool = [subnet]
      },
      stages: [
        withoutCable(part, left),
        firstStage(certain(first), asked),
        ...others,
        bridgesStage(part, left),
      ],
    }
  },

  tasks: [
    {
      id: 'loopback',
      title: 'Set the loopback interface up',
      text: "A new network namespace has one interface, `lo`, and it is down: a process in it cannot even reach itself. Open the network settings of the container's namespace with `openRtnetlinkIn(pid)`, and set `lo` up. Every container with its own network namespace needs that, with a cable or without (mode `none`). Close what you have opened, even if something in between throws.",
      checks: ['mode-none', 'closed', 'closed-where-it-throws'],
      hints: [
        'There are two sides, and a request goes to the side in which its socket was opened. Which side do you need here, and in which modes?',
        '`openRtnetlinkIn(pid)` gives a promise, so `await` it. The method is `setUp`, and it comes before the line that returns in mode `none`.',
        "`const inside = await openRtnetlinkIn(pid)`, then `try { inside.setUp('lo') … } finally { inside.close() }` around all that follows.",
      ],
    },
    {
      id: 'cable',
      title: 'Lay a cable between host and container',
      text: 'A veth pair is two virtual interfaces, connected like the two ends of a cable. Make a pair: the end on the host is called `hostLink`, the other end `eth0`, in the network namespace of process `pid`. Use these names: minilab has recorded `hostLink`, and deletes it at the end. Set both ends up, each on its side. Write this in the function that `withCable` calls. `withCable` does not wait, so the function must not be async: open the connections before.',
      checks: ['cable', 'host-end', 'loopback-too'],
      hints: [
        'An interface is in one namespace, and is set up there. Which of your two connections is for which end?',
        '`addVeth(name, peerName, { pid })` on the host makes both ends, the second directly in the namespace of process `pid`. Then `setUp`, once on each side.',
        "`host.addVeth(hostLink, 'eth0', { pid })`, `host.setUp(hostLink)`, `inside.setUp('eth0')`; `host` is what `openRtnetlink()` gives.",
      ],
    },
    {
      id: 'switch',
      title: 'Attach it to a bridge',
      text: "A bridge is a virtual switch. On the host, make the bridge `bridge` and set it up. Give it the address `bridgeAddress`: then the host itself is on this network. Then attach the host's end of the cable to the bridge. All names, addresses and lengths come from `withCable`: they can differ each time.",
      checks: ['bridge', 'bridge-address'],
      hints: [
        'A bridge is an interface as well: it can be down. And what connects the cable to it?',
        '`addBridge`, `addAddress` and `setUp` on the host; an interface is attached to a bridge by making the bridge its master.',
        '`host.addBridge(bridge)`, `host.addAddress(bridge, bridgeAddress)`, `host.setUp(bridge)`, and `host.setMaster(hostLink, bridge)`.',
      ],
    },
    {
      id: 'address',
      title: 'Give the container its address',
      text: 'Give `eth0` the address `address`. It ends with the length of its network, such as `/24`, which tells the kernel which addresses are neighbours. Then datagrams from the host arrive, and each is answered.',
      checks: ['address', 'address-asked', 'host-datagrams', 'host-counters'],
      hints: [
        'Each of the two ends could have an address. Which process is reached by this address, and in which namespace is it?',
        '`addAddress` inside. It does not matter whether the interface is already up, but it must exist.',
        "`inside.addAddress('eth0', address)`",
      ],
    },
    {
      id: 'route',
      title: 'Show it the way out',
      text: "So far the container knows only its own network. Give it a default route: packets to all other addresses go to `gateway`, the bridge's address, and the host may forward them.",
      checks: ['default-route'],
      hints: [
        'A gateway must already be reachable. From when does the container know how to reach it?',
        "`addRoute({ to: 'default', via: … })` inside, after `eth0` has its address and is up; before that the kernel answers ENETUNREACH.",
        "`inside.addRoute({ to: 'default', via: gateway })`, last of all.",
      ],
    },
    {
      id: 'second',
      title: 'Make room for a second container',
      text: 'Your part is called for each container, and they all share one bridge. The kernel refuses to make it a second time: if it already exists, only attach the cable. Another process may have made it, such as another `minilab run`. If it does not exist and cannot be made, your part must fail. Then two containers can talk to each other directly: the bridge forwards their frames.',
      checks: [
        'two-addresses',
        'container-datagrams',
        'container-counters',
        'neighbour',
        'bridge-there',
        'bridge-refused',
        'closed-anyway',
      ],
      hints: [
        'What belongs to one container, and what to all of them?',
        '`host.links()` lists the existing interfaces, each with its `name`. While `withCable` calls your function, no other minilab makes or removes any.',
        '`if (!host.links().some(link => link.name === bridge)) { … }` around the three lines that make the bridge.',
      ],
    },
  ],

  challenge:
    "Two containers on your bridge can reach each other, which may be unwanted. If `container.network.isolated` is set, isolate the host's end (`host.isolate(hostLink)`): from then on the bridge forwards nothing between two isolated ends. `minilab step 7` checks it.",

  reasons: [
    {
      call: 'RTM_SETLINK(dev "lo"',
      task: 'loopback',
      why: 'The kernel makes `lo` with the namespace, and leaves it down.',
    },
    {
      call: 'RTM_NEWLINK(bridge',
      task: 'switch',
      why: 'The bridge is the switch that all cables are attached to.',
    },
    {
      call: 'RTM_NEWLINK(veth',
      task: 'cable',
      why: 'A veth pair connects one network namespace to another.',
    },
    {
      call: 'RTM_NEWADDR',
      task: 'address',
      why: 'An address with the length of its network also brings the route to that network.',
    },
    {
      call: 'RTM_NEWROUTE',
      task: 'route',
      why: "Without a default route all addresses outside the bridge's network are unreachable.",
    },
    {
      call: 'RTM_SETLINK',
      task: 'cable',
      why: 'A new interface is down and belongs to no bridge, until a request changes that.',
    },
    {
      call: 'RTM_GETLINK',
      task: 'second',
      why: 'Only the kernel knows whether the bridge already exists.',
    },
  ],
}
