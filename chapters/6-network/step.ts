import { limits } from '../../lib/container/limits.ts'
import { namespaces } from '../../lib/container/namespaces.ts'
import { addNat } from '../../lib/container/nat.ts'
import { planNetwork } from '../../lib/container/network-plan.ts'
import { network } from '../../lib/container/network.ts'
import { program } from '../../lib/container/program.ts'
import { root } from '../../lib/container/root.ts'
import type { Step } from '../../lib/guide/step.ts'
import type { Requested } from '../../lib/kernel/netlink.ts'
import { answers, checks } from './checks.ts'
import {
  beARouter,
  cables,
  counted,
  DATAGRAMS,
  eachMode,
  host,
  loopback,
  MODES,
  place,
  sendToSecond,
  translate,
} from './experiments.ts'
import { exchange } from './sockets.ts'
import { unwired, type Wiring } from './wiring.ts'

export const step: Step<Wiring> = {
  number: 6,
  name: 'network',
  title: 'A cable, a switch, and the way out',
  parts: [namespaces, root, limits, network, program],
  teaches: ['network'],
  scene: unwired,

  spec(spec) {
    spec.root.readonly = true // the image is shared with others, and nothing is written here
  },

  container(container, lab) {
    lab.scene.bridge = `mlb-${lab.id}` // of this step alone
    container.network = planNetwork('bridge', lab.scene.bridge)
  },

  stages: [
    {
      title: 'An empty network namespace',
      explain:
        'A network namespace has its own links, addresses, routes, ports and firewall rules. Step 2 made one with CLONE_NEWNET and left it as it came. What is in it? `/proc/<pid>/net` shows the network of the namespace that the process is in, so the host can look.',
      source: { file: 'lib/container/namespaces.ts', symbol: 'namespaces' },
      predict: {
        question: 'Which links does a new network namespace have?',
        choices: ['none', 'lo, and it is down', 'lo, and it is up', 'lo and eth0'],
        answer: ({ bare }) => answers.linksInside(bare),
        why: 'The kernel makes the loopback link with every network namespace. It does nothing until somebody sets it up.',
      },
      async act(lab) {
        if (lab.options.rootless)
          lab.presenter.note(
            'An ordinary user may not give the machine new links. So this step runs on a bench: a user and network namespace of its own, in which it is root. Where “the host” is said below, the bench is meant.',
          )
        const box = await lab.another('a container without a network', { parts: [namespaces, root, program] })
        lab.scene.bare = box.pid
      },
      checks: [checks.empty],
    },
    {
      title: 'The loopback',
      explain:
        'Without its loopback link a process cannot even talk to itself. `ip link set lo up` is one message to the kernel over a netlink socket, RTM_SETLINK. The kernel then adds 127.0.0.1 and its route by itself. First without: a datagram to 127.0.0.1; then the message; then some datagrams more, each of them answered. A visitor makes these calls: a child of ours that joins the namespace with `setns` and opens a socket there (both left out below).',
      source: { file: 'lib/kernel/rtnetlink.ts', symbol: 'openRtnetlinkIn' },
      act: lab => loopback(lab, lab.scene.bare),
      checks: [checks.loopback],
    },
    {
      title: 'A cable and a switch',
      explain:
        'A veth pair is a cable with two ends: what goes in at one comes out at the other, also when that lies in another network namespace. A bridge is a switch. While our child waits at its gate, the host makes both: one end becomes eth0 in the container, the other is plugged into the bridge. The bridge has an address too, so that the host is on that network, and the container’s default route points to it. These are the messages; those that only ask are left out.',
      source: { file: 'lib/container/network.ts', symbol: 'plugIn' },
      async act(lab) {
        const { container } = await lab.begin()
        const { requests } = container.network ?? planNetwork('none')
        lab.requests('netlink requests on the host', changes(requests.host))
        lab.requests('netlink requests in the container’s network namespace', changes(requests.container))
      },
      checks: [checks.address, checks.cable, checks.bridge, checks.route],
    },
    {
      title: 'Packets between container and host',
      explain:
        'Every link counts the packets that come in and go out. Here the host sends some datagrams to the container, and each is answered. What goes into the cable on one side has to come out on the other: the counters of both ends are read before and after.',
      source: { file: 'chapters/6-network/sockets.ts', symbol: 'exchange' },
      async act(lab) {
        const cable = await cables(lab.scene.pid)
        lab.scene.exchanges.withHost = await counted(cable, () =>
          exchange(lab, host, place(lab.box, 'the container'), DATAGRAMS),
        )
      },
      checks: [checks.arrived('withHost'), checks.counted('withHost')],
    },
    {
      title: 'A second container',
      explain:
        'Another container is plugged into the same bridge and gets the next address. Both are on one Ethernet: a packet goes from the first through its cable, the switch and the other cable. To send it, the first needs a hardware address for the frame; it asks with ARP and keeps the answer in its neighbour table.',
      predict: {
        question:
          'The first container sends to the second. Whose hardware address does it write on the frame?',
        choices: [
          'the host’s, that of the bridge',
          'the second container’s',
          'that of the cable’s end on the host',
        ],
        answer: answers.whoseAddress,
        why: 'A switch passes frames on as they are. The host is no stop on the way, so it does not route here, and its address is not needed.',
      },
      async act(lab) {
        const second = await lab.another('a second container', {})
        await sendToSecond(lab, second.pid, second.container.network?.address)
      },
      checks: [checks.apart, checks.arrived('withSecond'), checks.counted('withSecond'), checks.neighbour],
    },
    {
      title: 'The host as a router',
      explain:
        'Now a machine outside: one more network namespace, at the end of a cable of its own, with addresses that are reserved for examples (198.51.100.0/24). It knows the host and nothing else. For the container’s packets to get there the host has to pass them on from one link to the other. Linux does so only where it is told: `forwarding` of the link that they come in by. The container sends one datagram, and the outside answers to the address that it came from.',
      source: { file: 'lib/container/firewall.ts', symbol: 'forwardFrom' },
      predict: {
        question: 'The datagram arrives. What becomes of the answer?',
        choices: ['it reaches the container', 'it cannot even be sent', 'it is lost on the way'],
        answer: answers.fate,
        why: 'The datagram says that it comes from the container’s address. That is a private one (RFC 1918): outside nobody has a route to it.',
      },
      act: lab => beARouter(lab, (bridge, out) => [bridge, out]),
      checks: [checks.forwarding, checks.unanswered],
    },
    {
      title: 'A published port, and a borrowed address',
      explain:
        'Network address translation rewrites packets on their way through the host. Outwards, masquerade puts the host’s own address in place of the container’s, so that answers come back to the host, which remembers whom they are for. Inwards, a published port is a rule that replaces the destination: who connects to port 8080 of the host reaches port 80 of the container. That is all that `docker run -p 8080:80` asks of the kernel.',
      source: { file: 'lib/container/nat.ts', symbol: 'addNat' },
      predict: {
        question: 'How many packets will the rule for port 8080 have counted after the whole connection?',
        choices: ['0', '1', 'each packet of the connection'],
        answer: answers.lookups,
        why: 'Only the first packet of a connection is looked up in the rules. Connection tracking remembers what was done to it, and does the same to all that follow.',
      },
      act: lab => translate(lab, nat => addNat(lab.ledger, lab.scene.bridge, nat)),
      checks: [checks.published, checks.messages, checks.ruleCounter, checks.masqueraded],
    },
    {
      title: 'Three modes',
      explain:
        'Container engines let you choose. `none`: a network namespace with nothing but the loopback. `host`: no network namespace at all; the container uses the host’s links and ports, and gives up the isolation. `bridge`: what this step has built, and what docker does when you ask for nothing.',
      source: { file: 'lib/container/network-plan.ts', symbol: 'planNetwork' },
      act: lab => eachMode(lab, MODES),
      checks: checks.modes,
    },
  ],

  recap:
    'A container’s network is a namespace, a cable and a switch; the way to the rest of the world is routing and two rewritten addresses. All of it was made by messages to the kernel, and nothing of it needs a program that keeps running.',
  next: '`minilab step 7` puts all of it together: `minilab run`.',
}

const changes = (requests: readonly Requested[]) => requests.filter(({ call }) => !call.startsWith('RTM_GET'))
