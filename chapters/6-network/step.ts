import { limits } from '../../lib/container/parts/limits.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { addNat } from '../../lib/container/net/nat.ts'
import { planNetwork } from '../../lib/container/net/network-plan.ts'
import { network } from '../../lib/container/parts/network.ts'
import { program } from '../../lib/container/parts/process.ts'
import { root } from '../../lib/container/parts/root.ts'
import { chapter } from '../../lib/guide/chapters.ts'
import type { Step } from '../../lib/guide/step.ts'
import type { Requested } from '../../lib/kernel/netlink/netlink.ts'
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
  ...chapter('network'),
  parts: [namespaces, root, limits, network, program],
  teaches: ['network'],
  scene: unwired,

  spec(spec) {
    spec.root.readonly = true // the image is shared with others, and nothing is written here
  },

  plan(plan, experiment) {
    experiment.scene.bridge = `mlb-${experiment.id}` // of this step alone
    plan.network = planNetwork('bridge', experiment.scene.bridge)
  },

  stages: [
    {
      title: 'An empty network namespace',
      manual: ['network_namespaces(7)'],
      source: { file: 'lib/container/parts/namespaces.ts', symbol: 'namespaces' },
      predict: {
        question: 'Which interfaces does a new network namespace have?',
        choices: ['none', 'lo, and it is down', 'lo, and it is up', 'lo and eth0'],
        answer: ({ bare }) => answers.linksInside(bare),
        why: 'The kernel makes the loopback interface with every network namespace. It does nothing until a process sets it up.',
      },
      async act(experiment) {
        if (experiment.options.rootless)
          experiment.note(
            'An ordinary user may not create network interfaces on the machine. So this step runs in a sandbox: its own user and network namespace, in which it is root. Below, “the host” means the sandbox.',
          )
        const box = await experiment.another('a container without a network', {
          parts: [namespaces, root, program],
        })
        experiment.scene.bare = box.pid
      },
      checks: [checks.empty],
    },
    {
      title: 'The loopback interface',
      manual: ['netlink(7)', 'rtnetlink(7)'],
      source: { file: 'lib/kernel/netlink/rtnetlink.ts', symbol: 'openRtnetlinkIn' },
      act: experiment => loopback(experiment, experiment.scene.bare),
      checks: [checks.loopback],
    },
    {
      title: 'A veth pair and a bridge',
      manual: ['veth(4)', 'ip-link(8)', 'bridge(8)'],
      source: { file: 'lib/container/parts/network.ts', symbol: 'plugIn' },
      async act(experiment) {
        const { container } = await experiment.begin()
        const { requests } = container
        experiment.requests('netlink requests on the host', changes(requests.host))
        experiment.requests(
          "netlink requests in the container's network namespace",
          changes(requests.container),
        )
      },
      checks: [checks.address, checks.cable, checks.bridge, checks.route],
    },
    {
      title: 'Packets between container and host',
      manual: ['udp(7)', 'proc(5)'],
      source: { file: 'chapters/6-network/sockets.ts', symbol: 'exchange' },
      async act(experiment) {
        const cable = await cables(experiment.scene.pid)
        experiment.scene.exchanges.withHost = await counted(cable, () =>
          exchange(experiment, host, place(experiment.box, 'the container'), DATAGRAMS),
        )
      },
      checks: [checks.arrived('withHost'), checks.counted('withHost')],
    },
    {
      title: 'A second container',
      manual: ['arp(7)', 'ip-neighbour(8)'],
      predict: {
        question:
          'The first container sends to the second. Whose hardware address does it write on the frame?',
        choices: [
          "the bridge's, on the host",
          "the second container's",
          "the one of the cable's end on the host",
        ],
        answer: answers.whoseAddress,
        why: 'A bridge is a switch: it forwards frames unchanged. The host is not a hop on the way, so it does not route here, and its address is not needed.',
      },
      async act(experiment) {
        const second = await experiment.another('a second container', {})
        await sendToSecond(experiment, second.pid, second.container.cable?.address)
      },
      checks: [checks.apart, checks.arrived('withSecond'), checks.counted('withSecond'), checks.neighbour],
    },
    {
      title: 'The host as a router',
      manual: ['ip(7)', 'ip-route(8)'],
      source: { file: 'lib/container/net/firewall.ts', symbol: 'forwardFrom' },
      predict: {
        question: 'The datagram arrives. What happens to the answer?',
        choices: ['it reaches the container', 'it cannot even be sent', 'it is lost on the way'],
        answer: answers.fate,
        why: "The datagram's source is the container's address. That address is private (RFC 1918): no machine outside has a route to it.",
      },
      act: experiment => beARouter(experiment, (bridge, out) => [bridge, out]),
      checks: [checks.forwarding, checks.unanswered],
    },
    {
      title: 'A published port, and a borrowed address',
      manual: ['nft(8)', 'tcp(7)'],
      impossible: ({ scene }) => !scene.outside.pid, // the stage before has said why
      source: { file: 'lib/container/net/nat.ts', symbol: 'addNat' },
      predict: {
        question: 'How many packets will the rule for port 8080 have counted after the whole connection?',
        choices: ['0', '1', 'each packet of the connection'],
        answer: answers.lookups,
        why: 'The kernel looks up only the first packet of a connection in the rules. Connection tracking remembers the result, and does the same to all later packets.',
      },
      act: experiment =>
        translate(experiment, nat => addNat(experiment.ledger, experiment.scene.bridge, nat)),
      checks: [checks.published, checks.messages, checks.ruleCounter, checks.masqueraded],
    },
    {
      title: 'Three modes',
      manual: ['network_namespaces(7)', 'veth(4)'],
      source: { file: 'lib/container/net/network-plan.ts', symbol: 'planNetwork' },
      act: experiment => eachMode(experiment, MODES),
      checks: checks.modes,
    },
  ],

  recap:
    "A container's network is a namespace, a veth pair and a bridge. The way to the rest of the world is routing and two rewritten addresses. All of it was made by messages to the kernel, and none of it needs a program that keeps running.",
  next: '`minilab step 7` puts all of it together: `minilab run`.',
}

const changes = (requests: readonly Requested[]) => requests.filter(({ call }) => !call.startsWith('RTM_GET'))
