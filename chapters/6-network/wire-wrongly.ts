import type { Cable } from '../../lib/container/net/network-plan.ts'
import { changePart } from '../../lib/guide/mutant.ts'
import type { Step } from '../../lib/guide/step.ts'
import { untilRunning } from '../../lib/kernel/netlink/link-events.ts'
import { NetlinkError } from '../../lib/kernel/netlink/netlink.ts'
import { openRtnetlink, openRtnetlinkIn, type Rtnetlink } from '../../lib/kernel/netlink/rtnetlink.ts'
import { find } from './readings.ts'
import type { Wiring } from './wiring.ts'

/** Where a cable is made: rtnetlink on the host and in the container. */
interface Ends {
  host: Rtnetlink
  inside: Rtnetlink
  /** the container's first process */
  pid: number
}

/** What a cable is made with: its ends, and the names and addresses that the network part chose. */
interface Wires extends Ends, Cable {
  /** the address with the length of the network: `10.44.0.2/24` */
  full: string
}

/** One request of the wiring. Mutants leave out, replace and move requests by name. */
type Request = readonly [name: string, make: (wires: Wires) => void]

/** The requests for one cable, in their order: what plugIn and configureInside in lib/container/parts/network.ts make. */
const REQUESTS: readonly Request[] = [
  ['loopback up', ({ inside }) => inside.setUp('lo')],
  ['bridge up', ({ host, bridge }) => host.setUp(bridge)],
  ['cable', ({ host, hostLink, pid }) => host.addVeth(hostLink, 'eth0', { pid })],
  ['note', ({ host, hostLink, address }) => host.setAlias(hostLink, address)],
  ['plug', ({ host, hostLink, bridge }) => host.setMaster(hostLink, bridge)],
  ["host's end up", ({ host, hostLink }) => host.setUp(hostLink)],
  ['address', ({ inside, full }) => inside.addAddress('eth0', full)],
  ['eth0 up', ({ inside }) => inside.setUp('eth0')],
  ['route', ({ inside, gateway }) => inside.addRoute({ to: 'default', via: gateway })],
]

/**
 * The step with every cable made by wrong requests. If the kernel refuses one, the next follows,
 * as in a script without `set -e`.
 */
export function wired(
  step: Step<Wiring>,
  edit: (right: readonly Request[]) => readonly Request[],
): Step<Wiring> {
  return changePart(step, 'network', right => ({
    ...right,
    async attach(container, pid) {
      const { network } = container
      if (!network) return
      using inside = await openRtnetlinkIn(pid)
      using host = openRtnetlink()
      // the network part chooses names and addresses, and waits for a bridge that is up
      if (find(host.links(), network.bridge)) host.setUp(network.bridge)
      await right.attach?.(container, pid)
      remake({ host, inside, pid }, container.cable, edit(REQUESTS))
    },
  }))
}

/** The request left out. */
export const without =
  (...names: string[]) =>
  (right: readonly Request[]) =>
    right.filter(([name]) => !names.includes(name))

/** Another request instead of this request. */
export const instead =
  (name: string, make: Request[1]) =>
  (right: readonly Request[]): Request[] =>
    right.map(request => (request[0] === name ? [name, make] : request))

/** One request before another that it should follow. */
export const early =
  (name: string, before: string) =>
  (right: readonly Request[]): Request[] => {
    const moved = right.filter(request => request[0] === name)
    return without(name)(right).flatMap(request => (request[0] === before ? [...moved, request] : [request]))
  }

/** Undoes what the network part has made, and makes it again. */
function remake(ends: Ends, cable: Cable | undefined, requests: readonly Request[]): void {
  const { host, inside } = ends
  const names = requests.map(([name]) => name)
  if (!names.includes('loopback up')) inside.setDown('lo')
  if (!cable) return
  const { hostLink, bridge, address, subnet } = cable
  host.delete(hostLink)
  if (!names.includes('bridge up')) host.setDown(bridge)
  const full = address + subnet.replace(/.*\//, '/')
  for (const [, make] of requests)
    try {
      make({ ...ends, ...cable, full })
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error
    }
  // an interface can carry packets only a moment after it was set up: see untilRunning
  const far = find(host.links(), hostLink)
  if (!far?.up || !find(inside.links(), 'eth0')?.up) return
  untilRunning(host, [hostLink, ...(far.master && names.includes('bridge up') ? [bridge] : [])])
}
