import { shareHostNetwork } from '../../lib/container/net/network-plan.ts'
import { changeAct, changeSpec, type Mutant } from '../../lib/guide/mutant.ts'
import { nth, room } from '../../lib/kernel/netlink/subnet.ts'
import { until } from '../../lib/common/until.ts'
import { linkNames } from './readings.ts'
import { early, instead, wired, without } from './wire-wrongly.ts'
import type { Wiring } from './wiring.ts'

/** Wrong ways to connect a container. */

/** The checks that need a connection, by how far the packets would have to get. */
const TO_HOST = ['host-datagrams', 'host-counters']
const TO_OTHER = ['container-datagrams', 'container-counters', 'neighbour']
const OUT = ['no-way-back', 'masquerade']
const IN = ['published-port', 'both-ways']
const ALL = [...TO_HOST, ...TO_OTHER, ...OUT, ...IN]

/** Gives several checks the same words. */
export const say = (words: string, ...ids: string[]) => Object.fromEntries(ids.map(id => [id, words]))

export const mutants: Mutant<Wiring>[] = [
  {
    name: 'network-namespace-missing',
    misconception: "CLONE_NEWNET was left out of the clone flags, so every container has the host's network",
    breaks: say(
      'CLONE_NEWNET is missing',
      ...['empty-network', 'loopback-up', 'address', 'cable', 'bridge', 'default-route', 'two-addresses'],
      ...[...ALL, 'forwarding', 'rule-counter', 'mode-none', 'mode-bridge'],
    ),
    change: step => changeSpec(step, shareHostNetwork),
  },
  {
    name: 'loopback-left-down',
    misconception: 'the loopback interface was left down, because it always exists',
    breaks: say('lo is down', 'mode-none', 'mode-bridge'),
    change: step => wired(step, without('loopback up')),
  },
  {
    name: 'no-cable',
    misconception: 'the bridge was made, but no veth pair to connect the container to it',
    breaks: say(
      'the veth pair was never made',
      ...['address', 'cable', 'bridge', 'default-route', 'two-addresses', ...ALL, 'mode-bridge'],
    ),
    change: step => wired(step, without('cable')),
  },
  {
    name: 'eth0-left-on-host',
    misconception:
      'the veth pair was made on the host, and its second end was never moved into the container',
    breaks: say(
      'the second end was never moved',
      ...['address', 'cable', 'bridge', 'default-route', 'two-addresses', ...ALL, 'mode-bridge'],
    ),
    change: step =>
      wired(
        step,
        instead('cable', ({ host, hostLink }) => host.addVeth(hostLink, 'eth0')),
      ),
  },
  {
    name: 'both-ends-inside',
    misconception: 'the veth pair was made inside the container, and no end of it moved to the host',
    breaks: say('no end moved out to the host', 'cable', 'bridge', 'two-addresses', ...ALL, 'mode-bridge'),
    change: step =>
      wired(
        step,
        instead('cable', ({ inside }) => inside.addVeth('eth1', 'eth0')),
      ),
  },
  {
    name: 'eth0-left-down',
    misconception: 'eth0 was given its address and never set up',
    breaks: say('eth0 is down', 'cable', 'default-route', ...ALL, 'mode-bridge'),
    change: step => wired(step, without('eth0 up')),
  },
  {
    name: 'hosts-end-left-down',
    misconception: "only the container's end of the cable was set up, and not the host's",
    breaks: say("only the container's end was set up", 'cable', ...ALL),
    change: step => wired(step, without("host's end up")),
  },
  {
    name: 'not-plugged-in',
    misconception: "the host's end of the cable was set up, but not made a port of the bridge",
    breaks: say('never given a master', 'bridge', ...ALL),
    change: step => wired(step, without('plug')),
  },
  {
    name: 'bridge-left-down',
    misconception: 'the bridge was made and the cable attached to it, but the bridge was never set up',
    breaks: say('made and never set up', 'bridge', ...ALL),
    change: step => wired(step, without('bridge up')),
  },
  {
    name: 'address-before-move',
    misconception: 'eth0 was given its address on the host and moved into the container afterwards',
    breaks: say('a move takes addresses away', ...['address', 'default-route', 'two-addresses', ...ALL]),
    change: step =>
      wired(step, right =>
        instead('cable', ({ host, hostLink, full, pid }) => {
          host.addVeth(hostLink, 'eth0')
          host.addAddress('eth0', full)
          host.moveTo('eth0', { pid })
        })(without('address')(right)),
      ),
  },
  {
    name: 'address-at-wrong-end',
    misconception: "the container's address was given to the end of the cable that stays on the host",
    breaks: say('the end that stays on the host', ...['address', 'default-route', 'two-addresses', ...ALL]),
    change: step =>
      wired(
        step,
        instead('address', ({ host, hostLink, full }) => host.addAddress(hostLink, full)),
      ),
  },
  {
    name: 'prefix-length-32',
    misconception: 'eth0 was given its address without the length of the network',
    breaks: say('without the length of its network', 'address', 'default-route', ...ALL),
    change: step =>
      wired(
        step,
        instead('address', ({ inside, address }) => inside.addAddress('eth0', `${address}/32`)),
      ),
  },
  {
    name: 'address-of-another-network',
    misconception: "eth0 was given an address in another network than the bridge's",
    breaks: say('are in two networks', 'address', 'default-route', 'two-addresses', ...ALL),
    change: step =>
      wired(
        step,
        instead('address', ({ inside }) => inside.addAddress('eth0', '172.17.0.2/16')),
      ),
  },
  {
    name: 'route-before-up',
    misconception: "the default route was added before eth0 was up, and the kernel's error was ignored",
    breaks: say('added before eth0 was up', 'default-route', ...OUT, ...IN),
    change: step => wired(step, early('route', 'eth0 up')),
  },
  {
    name: 'route-without-gateway',
    misconception:
      'the default route leads to eth0 without a gateway, as if every address were on the bridge',
    breaks: say('names no gateway', 'default-route', ...OUT, ...IN),
    change: step =>
      wired(
        step,
        instead('route', ({ inside }) => inside.addRoute({ to: 'default', dev: 'eth0' })),
      ),
  },
  {
    name: 'wrong-gateway',
    misconception: 'the default route leads to an address that routers often have, but here no router has it',
    breaks: say('The default route leads to', 'default-route', ...OUT, ...IN),
    change: step =>
      wired(
        step,
        instead('route', ({ inside, full }) =>
          inside.addRoute({ to: 'default', via: nth(full, room(full)) }),
        ),
      ),
  },
  {
    name: 'address-taken-twice',
    misconception: 'taken addresses were not recorded, so the second container got the address of the first',
    breaks: say('so the first talks to itself', 'two-addresses', ...TO_OTHER),
    change: step =>
      // which of the two the host would later find by ARP is chance, so the second ends first
      changeAct(wired(step, without('note')), 'The host as a router', async (experiment, right) => {
        const second = experiment.boxes.find(({ pid }) => pid === experiment.scene.second)
        await second?.end()
        // its namespace still answers until a moment after its last process ended; then the cable goes with it
        const hostLink = second?.container.cable?.hostLink ?? ''
        await until(() => !linkNames(process.pid).includes(hostLink), 5000)
        await right(experiment)
      }),
  },
]
