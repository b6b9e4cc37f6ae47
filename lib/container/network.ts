import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { writeControl } from '../kernel/control-file.ts'
import { openRtnetlink, openRtnetlinkIn, type Rtnetlink } from '../kernel/rtnetlink.ts'
import { currentNetns, held } from './ledger.ts'
import { LimitedError } from './limited.ts'
import { withLock } from './lock.ts'
import type { Part } from './part.ts'
import type { Network } from './network-plan.ts'

const PREFIX = 24
/** The bridge gets the first of these networks to which the host has no route yet: RFC 1918. */
const NETWORKS = Array.from({ length: 60 }, (_, i) => `10.${44 + i}.0`)

/**
 * Chapter 6. A network namespace starts with a loopback link that is down, and nothing else. A veth pair is a cable:
 * one end in the container, the other on a bridge of the host, which is a switch.
 */
export const network: Part = {
  name: 'network',

  prepare({ network, ledger }) {
    if (network?.mode !== 'bridge') return
    // two containers that start at once must neither make the bridge twice nor take the same address
    withLock(join(ledger.dataFolder, 'network.lock'), () => {
      const host = openRtnetlink()
      try {
        ledger.add({ kind: 'link', name: network.bridge, netns: currentNetns() })
        const subnet = bridge(host, network.bridge)
        network.gateway = `${subnet}.1`
        network.prefix = PREFIX
        network.address = freeAddress(subnet, ledger.dataFolder)
        ledger.add({ kind: 'address', address: network.address, netns: currentNetns() })
      } finally {
        network.log.push(...host.log)
        host.close()
      }
    })
  },

  async attach({ id, network, spec, ledger }, pid) {
    if (
      !network ||
      network.mode === 'host' ||
      !spec.linux.namespaces.some(n => n.type === 'network' && !n.path)
    )
      return
    if (network.mode === 'bridge') {
      const hostLink = `ml-${id.slice(0, 12)}` // at most 15 characters: IFNAMSIZ
      ledger.add({ kind: 'link', name: hostLink, netns: currentNetns() })
      network.hostLink = hostLink
      plugIn(network, hostLink, pid)
    }
    await configureInside(network, pid)
  },
}

/** The cable: one end on the bridge, the other, named eth0, straight into the container's namespace. */
function plugIn(network: Network, hostLink: string, pid: number): void {
  const host = openRtnetlink()
  try {
    host.addVeth(hostLink, 'eth0', { pid })
    host.setMaster(hostLink, network.bridge)
    host.setUp(hostLink)
  } finally {
    network.log.push(...host.log)
    host.close()
  }
}

/** What the container's own administrator would do: links up, an address, the way out. */
async function configureInside(network: Network, pid: number): Promise<void> {
  const inside = await openRtnetlinkIn(pid)
  try {
    inside.setUp('lo')
    if (network.mode !== 'bridge') return
    inside.addAddress('eth0', `${network.address}/${network.prefix}`)
    inside.setUp('eth0')
    inside.addRoute({ to: 'default', via: network.gateway })
  } finally {
    network.log.push(...inside.log)
    inside.close()
  }
}

/** The bridge, made where it is missing; returns the first three numbers of its network. */
function bridge(host: Rtnetlink, name: string): string {
  const own = host.addresses().find(({ dev, address }) => dev === name && !address.includes(':'))
  if (own) return own.address.split('.').slice(0, 3).join('.')
  const taken = host.routes().map(route => route.to)
  const subnet = NETWORKS.find(net => !taken.some(to => to.startsWith(`${net}.`))) ?? NETWORKS[0]!
  if (!host.links().some(link => link.name === name)) host.addBridge(name)
  host.addAddress(name, `${subnet}.1/${PREFIX}`)
  host.setUp(name)
  // packets that come in by the bridge may be passed on; ip-sysctl.rst: the setting counts for the link they come in by
  const forwarding = `/proc/sys/net/ipv4/conf/${name}/forwarding`
  if (existsSync(forwarding)) writeControl(forwarding, '1')
  return subnet
}

function freeAddress(subnet: string, dataFolder: string): string {
  const netns = currentNetns()
  const used = new Set(
    held(dataFolder).flatMap(e => (e.kind === 'address' && e.netns === netns ? [e.address] : [])),
  )
  for (let host = 2; host < 255; host++) if (!used.has(`${subnet}.${host}`)) return `${subnet}.${host}`
  throw new LimitedError(`no address is left in ${subnet}.0/${PREFIX}`, 'end some containers: minilab ps')
}
