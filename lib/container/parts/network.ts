import { createHash } from 'node:crypto'
import { MinilabError } from '../../common/errors.ts'
import { codeOf } from '../../common/error-code.ts'
import { untilRunning } from '../../kernel/netlink/link-events.ts'
import { openRtnetlink, openRtnetlinkIn, type Rtnetlink } from '../../kernel/netlink/rtnetlink.ts'
import { letThrough } from '../net/firewall.ts'
import { currentNetns } from '../ledger/ledger.ts'
import { withNetworkLock } from '../ledger/lock.ts'
import type { Cable, NetworkPlan } from '../net/network-plan.ts'
import type { Container, Part, Plan } from '../part.ts'
import { networkOf, nth, overlap, room } from '../../kernel/netlink/subnet.ts'
import { until } from '../../common/until.ts'

/** The bridge gets the first of these networks to which the host has no route yet: RFC 1918. */
const POOL = [
  ...Array.from({ length: 60 }, (_, i) => `10.${44 + i}.0.0/24`),
  ...Array.from({ length: 60 }, (_, i) => `192.168.${144 + i}.0/24`),
]

/**
 * Chapter 6. A network namespace starts with a loopback link that is down, and nothing else. A veth pair is a cable:
 * one end in the container, the other on a bridge of the host, which is a switch.
 */
export const network: Part = {
  name: 'network',

  async attach(container, pid) {
    const { network, spec, requests } = container
    if (!network || !spec.linux.namespaces.some(ns => ns.type === 'network' && !ns.path)) return
    if (network.mode === 'bridge') {
      using host = openRtnetlink()
      try {
        // of several that start at once none may make the bridge twice, or take the same address
        container.cable = withNetworkLock(() => plugIn(host, container, network, pid))
      } finally {
        requests.host.push(...host.log)
      }
    }
    await configureInside(container, pid)
    if (network.mode === 'bridge') await untilCarrier(pid)
  },
}

/** The host's side: the bridge, and the cable from it straight into the container's namespace. */
function plugIn(host: Rtnetlink, plan: Plan, network: NetworkPlan, pid: number): Cable {
  const cable = planCable(host, plan, network)
  const { bridge, bridgeAddress, hostLink, address } = cable
  switchOn(host, bridge, bridgeAddress)
  host.addVeth(hostLink, 'eth0', { pid })
  host.setAlias(hostLink, address)
  host.setMaster(hostLink, bridge)
  if (network.isolated) host.isolate(hostLink)
  host.setUp(hostLink)
  letThrough(plan.ledger, bridge, address)
  return cable
}

/** What the container's own administrator would do: links up, an address, the way out. */
async function configureInside({ cable, requests }: Container, pid: number): Promise<void> {
  using inside = await openRtnetlinkIn(pid)
  try {
    inside.setUp('lo')
    if (!cable) return
    const { address, subnet, gateway, hostLink, bridge } = cable
    inside.addAddress('eth0', address + subnet.replace(/.*\//, '/'))
    inside.setUp('eth0')
    inside.addRoute({ to: 'default', via: gateway })
    using host = openRtnetlink()
    untilRunning(host, [hostLink, bridge])
  } finally {
    requests.container.push(...inside.log)
  }
}

/** How long a link may take to hear that its other end is up: linkwatch delays changes by a second at most. */
const CARRIER_TIMEOUT = 3000 // ms

/** Waits until the container's end of the cable has heard that the other one is up; it hears so by itself, and a moment later. */
export async function untilCarrier(pid: number): Promise<void> {
  using inside = await openRtnetlinkIn(pid)
  await until(() => inside.links().find(({ name }) => name === 'eth0')?.running ?? true, CARRIER_TIMEOUT)
}

/**
 * Chooses names and addresses that nobody else has, and notes in the ledger what is about to be made with them. Nobody else
 * may choose meanwhile: withNetworkLock. Throws a MinilabError (limited) where no network or address is free.
 */
export function planCable(host: Rtnetlink, { id, ledger }: Plan, network: NetworkPlan): Cable {
  const { bridge } = network
  const bridgeAddress = ownAddress(host, bridge) ?? firstAddress(freeNetwork(host, network.pool ?? POOL))
  const chosen = {
    subnet: networkOf(bridgeAddress),
    gateway: bridgeAddress.replace(/\/.*/, ''),
    address: freeAddress(host, bridgeAddress),
    hostLink: linkName(id),
  }
  for (const name of [bridge, chosen.hostLink]) ledger.add({ kind: 'link', name, netns: currentNetns() })
  if (ownAddress(host, bridge)) forgetNeighbour(bridge, chosen.address)
  return { bridge, bridgeAddress, ...chosen }
}

/** Where an address was another container's a moment ago, the host would send to that one's link-layer address, for minutes. */
function forgetNeighbour(bridge: string, address: string): void {
  using host = openRtnetlink() // not the one whose requests are shown: this belongs to what others have left
  try {
    host.delNeighbour(bridge, address)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** The bridge, made where it is missing. */
function switchOn(host: Rtnetlink, bridge: string, address: string): void {
  if (ownAddress(host, bridge)) return
  if (!host.links().some(link => link.name === bridge)) host.addBridge(bridge)
  host.addAddress(bridge, address)
  host.setUp(bridge)
}

/** The address of a bridge with the length of its network: `10.44.0.1/24`. */
const ownAddress = (host: Rtnetlink, bridge: string) =>
  host.addresses().find(({ dev, address }) => dev === bridge && !address.includes(':'))?.address

const firstAddress = (subnet: string) => subnet.replace(nth(subnet, 0), nth(subnet, 1))

/** The first of some networks to which the host has no route, not even to a part of it. Throws a MinilabError (limited). */
export function freeNetwork(host: Rtnetlink, pool: readonly string[]): string {
  const taken = host.routes().flatMap(({ to }) => (to === 'default' || to.includes(':') ? [] : [to]))
  const free = pool.find(network => !taken.some(to => overlap(network, to)))
  if (free) return free
  throw new MinilabError(
    'limited',
    'this machine has routes to every network that a bridge could use',
    'run it with --rootless: the sandbox has no routes yet',
  )
}

/** The kernel itself keeps the register: each cable's end on the host bears its container's address as alias. */
function freeAddress(host: Rtnetlink, gateway: string): string {
  const used = new Set([gateway.replace(/\/.*/, ''), ...host.links().map(link => link.alias)])
  for (let n = 1; n <= room(gateway); n++) if (!used.has(nth(gateway, n))) return nth(gateway, n)
  throw new MinilabError(
    'limited',
    `no address is left in ${networkOf(gateway)}`,
    'end some containers: minilab ps',
  )
}

/** A name for the cable's end on the host: at most 15 characters (IFNAMSIZ), so a long id is shortened by its hash. */
function linkName(id: string): string {
  return `ml-${id.length <= 12 ? id : createHash('sha256').update(id).digest('hex').slice(0, 12)}`
}
