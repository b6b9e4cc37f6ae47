import { currentNetns } from '../../lib/container/ledger/ledger.ts'
import { withNetworkLock } from '../../lib/container/ledger/lock.ts'
import { namespaces } from '../../lib/container/parts/namespaces.ts'
import { freeNetwork } from '../../lib/container/parts/network.ts'
import { program } from '../../lib/container/parts/process.ts'
import { root } from '../../lib/container/parts/root.ts'
import { nth } from '../../lib/kernel/netlink/subnet.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import { openRtnetlink, openRtnetlinkIn, type Rtnetlink } from '../../lib/kernel/netlink/rtnetlink.ts'
import { untilRunning } from '../../lib/kernel/netlink/link-events.ts'
import type { Outside } from './wiring.ts'

/** Networks of two hosts each, from the addresses that are for documentation only: TEST-NET-2, RFC 5737. */
const POOL = Array.from({ length: 64 }, (_, i) => `198.51.100.${4 * i}/30`)

/** Makes the machine outside: it knows the host, and nothing behind it. */
export async function makeOutside<S>(experiment: Experiment<S>): Promise<Outside> {
  const { pid } = await experiment.another('a machine outside', { parts: [namespaces, root, program] })
  const hostLink = `ml-${experiment.id}-out`
  experiment.ledger.add({ kind: 'link', name: hostLink, netns: currentNetns() })
  using host = openRtnetlink()
  using there = await openRtnetlinkIn(pid)
  const network = withNetworkLock(() => cable(host, hostLink, pid))
  const outside = { pid, hostLink, hostAddress: nth(network, 1), address: nth(network, 2) }
  there.addAddress('eth0', `${outside.address}/30`)
  there.setUp('eth0')
  untilRunning(host, [hostLink])
  return outside
}

/** The host's side of the cable; returns its network. */
function cable(host: Rtnetlink, link: string, pid: number): string {
  const network = freeNetwork(host, POOL)
  host.addVeth(link, 'eth0', { pid })
  host.addAddress(link, `${nth(network, 1)}/30`)
  host.setUp(link) // from now on the host has a route to it, so no other process takes it
  return network
}
