import { sha256 } from '../../common/hash.ts'
import { MinilabError } from '../../common/errors.ts'
import { codeOf } from '../../common/error-code.ts'
import { writeControl } from '../../kernel/cgroup/control-file.ts'
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
 * Chapter 6. A network namespace starts with only a loopback interface, which is down. A veth pair is like a cable:
 * one end in the container, the other attached to a bridge of the host, which works like a switch.
 */
export const network: Part = {
  name: 'network',

  async attach(container, pid) {
    const { network, spec, requests } = container
    if (!network || !spec.linux.namespaces.some(ns => ns.type === 'network' && !ns.path)) return
    if (network.mode === 'bridge') {
      using host = openRtnetlink()
      try {
        // if several start at once, the bridge must be made only once, and each needs a different address
        container.cable = withNetworkLock(() => plugIn(host, container, network, pid))
      } finally {
        requests.host.push(...host.log)
      }
    }
    await configureInside(container, pid)
    if (network.mode === 'bridge') await untilCarrier(pid)
  },
}

/** The host's side: the bridge, and a veth pair from it straight into the container's namespace. */
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

/** What an administrator inside the container would do: set interfaces up, add an address and the default route. */
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

/** How long an interface may take to notice that its peer is up: linkwatch delays changes by a second at most. */
const CARRIER_TIMEOUT = 3000 // ms

/** Waits until the container's end of the veth pair has noticed that its peer is up; the kernel reports that a moment later. */
export async function untilCarrier(pid: number): Promise<void> {
  using inside = await openRtnetlinkIn(pid)
  await until(() => inside.links().find(({ name }) => name === 'eth0')?.running ?? true, CARRIER_TIMEOUT)
}

/**
 * Chooses unused names and addresses, and records in the ledger what is about to be made with them. No other process
 * may choose at the same time: withNetworkLock. Throws a MinilabError (limited) if no network or address is free.
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

/** If an address belonged to another container a moment ago, the host would send to that container's link-layer address for minutes. */
function forgetNeighbour(bridge: string, address: string): void {
  using host = openRtnetlink() // not the socket whose requests are shown: this cleans up after other containers
  try {
    host.delNeighbour(bridge, address)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
  }
}

/** The bridge; made if it does not exist. */
function switchOn(host: Rtnetlink, bridge: string, address: string): void {
  if (ownAddress(host, bridge)) return
  if (!host.links().some(link => link.name === bridge)) {
    host.addBridge(bridge)
    ignoreRouters(bridge)
  }
  host.addAddress(bridge, address)
  host.setUp(bridge)
}

/**
 * A container may send router advertisements, and the host would take a default route and addresses from them: CVE-2020-13401. An
 * interface listens from when it is set up (ip-sysctl.rst, accept_ra).
 */
function ignoreRouters(bridge: string): void {
  try {
    writeControl(`/proc/sys/net/ipv6/conf/${bridge}/accept_ra`, '0')
  } catch (error) {
    // no IPv6; or a read-only /proc/sys: then this network is itself that of a container
    if (!['ENOENT', 'EROFS'].includes(codeOf(error) ?? '')) throw error
  }
}

/** The address of a bridge with its prefix length: `10.44.0.1/24`. */
const ownAddress = (host: Rtnetlink, bridge: string) =>
  host.addresses().find(({ dev, address }) => dev === bridge && !address.includes(':'))?.address

const firstAddress = (subnet: string) => subnet.replace(nth(subnet, 0), nth(subnet, 1))

/** The first network to which the host has no route, not even to a part of it. Throws a MinilabError (limited). */
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

/** The kernel itself stores the list: each veth end on the host has its container's address as alias. */
function freeAddress(host: Rtnetlink, gateway: string): string {
  const used = new Set([gateway.replace(/\/.*/, ''), ...host.links().map(link => link.alias)])
  for (let n = 1; n <= room(gateway); n++) if (!used.has(nth(gateway, n))) return nth(gateway, n)
  throw new MinilabError(
    'limited',
    `no free address is left in ${networkOf(gateway)}`,
    'stop some containers: minilab ps',
  )
}

/** A name for the host's end of the veth pair: at most 15 characters (IFNAMSIZ), so a long id is shortened to a hash. */
function linkName(id: string): string {
  return `ml-${id.length <= 12 ? id : sha256().update(id).digest('hex').slice(0, 12)}`
}
