import { readFileSync } from 'node:fs'
import { isGone, namespaceInode, status, unlessGone } from '../kernel/process/procfs.ts'
import type { Link } from '../kernel/netlink/link.ts'
import { type Address, openRtnetlink, openRtnetlinkIn, type Route } from '../kernel/netlink/rtnetlink.ts'
import { isReadable, type Readable, reading, readingAsync } from './readable.ts'
import type { Cable, LinkView, Network, Outside, RouteView } from './snapshot-shape.ts'

/** What rtnetlink(7) says of one network namespace, and of which process we know that. */
interface Told {
  pid: number
  inode: number | null
  links: Link[]
  addresses: Address[]
  routes: Route[]
}

/**
 * The links of a container's network namespace, their addresses and counters, and where their cables lead. Of the host's
 * own nothing is told but that it is shared. Throws ENOENT or ESRCH where the process has ended.
 */
export async function networkOf(pid: number): Promise<Network> {
  const nothing = { links: [], limited: null, defaultRoute: null, outside: null }
  const inode = netns(pid)
  if (!isReadable(inode)) return { ...nothing, own: inode, links: counters(pid), limited: inode.notReadable }
  const host = hostNetns()
  if (inode === host) return { ...nothing, own: false }
  const told = await readingAsync(`the links of process ${pid}`, () => ask(pid, inode))
  if (!isReadable(told)) return { ...nothing, own: true, links: counters(pid), limited: told.notReadable }
  return {
    own: true,
    links: told.links.map(link => linkView(link, told)),
    limited: null,
    defaultRoute: defaultOf(told),
    outside: await outsideOf(told, host),
  }
}

/** Of process 1; of us where its namespaces are not ours to read. */
function hostNetns(): number | null {
  const host = netns(1)
  return isReadable(host) ? host : namespaceInode('self', 'net')
}

const netns = (pid: number): Readable<number | null> =>
  reading(`/proc/${pid}/ns/net`, () => namespaceInode(pid, 'net'))

async function ask(pid: number, inode: number | null): Promise<Told> {
  using net = inode === namespaceInode('self', 'net') ? openRtnetlink() : await openRtnetlinkIn(pid)
  return { pid, inode, links: net.links(), addresses: net.addresses(), routes: net.routes() }
}

function linkView({ index, name, kind, up, running, mtu, mac, stats }: Link, { addresses }: Told): LinkView {
  const own = addresses.flatMap(({ dev, address }) => (dev === name ? address : []))
  return { index, name, kind, up, running, mtu, mac, addresses: own, ...stats }
}

function defaultOf({ routes }: Told): RouteView | null {
  const found = routes.filter(({ to }) => to === 'default').sort((a, b) => rank(a) - rank(b))[0]
  return found ? { via: found.via ?? null, dev: found.dev ?? null } : null
}
const rank = ({ via }: Route) => (via?.includes(':') ? 1 : 0) // IPv4 before IPv6

/**
 * The far ends of a container's cables. They are where it was plugged in: in the network namespace of one of the
 * processes above it, or in ours (process 1's may not be ours to read). Which link it is, both ends say by each other's index.
 */
async function outsideOf(inside: Told, host: number | null): Promise<Outside | null> {
  const ends = inside.links.filter(link => link.kind === 'veth' && link.linkNetnsId !== null)
  const asked = new Set([inside.inode])
  for (const pid of ends.length ? [...ancestors(inside.pid), process.pid] : []) {
    const inode = await readingIfThere(() => netns(pid))
    if (inode === undefined || !isReadable(inode) || asked.has(inode)) continue
    asked.add(inode)
    const there = await readingIfThere(() => readingAsync('', () => ask(pid, inode)))
    if (there === undefined || !isReadable(there)) continue
    const cables = ends.flatMap(end => cable(end, there) ?? [])
    if (cables.length === 0) continue
    const defaultRoute = defaultOf(there)
    const address = there.addresses.find(({ dev }) => dev === defaultRoute?.dev)?.address ?? null
    return { host: inode === host, pid, cables, defaultRoute, address }
  }
  return null
}

function cable(end: Link, there: Told): Cable | undefined {
  // an index counts only within its namespace: the far end must name ours too, and say that it is elsewhere
  const peer = there.links.find(
    link =>
      link.kind === 'veth' &&
      link.linkNetnsId !== null &&
      link.index === end.peerIndex &&
      link.peerIndex === end.index,
  )
  if (!peer) return undefined
  const bridge = there.links.find(({ index }) => index === peer.master)
  const ports = there.links.filter(({ master }) => master === bridge?.index).length
  return {
    inside: end.name,
    peer: linkView(peer, there),
    bridge: bridge ? { ...linkView(bridge, there), ports } : null,
  }
}

/** The parent of a process, its parent, and so on to process 1. */
function ancestors(pid: number): number[] {
  const found: number[] = []
  for (let next = pid; next > 1;) {
    const child = next
    next = unlessGone(() => Number(status(child).PPid)) ?? 1 // the children of one that has just ended are process 1's
    if (next > 0) found.push(next)
  }
  return found.includes(1) ? found : [...found, 1]
}

/** Undefined where the process that is asked about has ended: an ancestor, without which the container goes on. */
async function readingIfThere<T>(look: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await look()
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** Names and counters of the links, from /proc/<pid>/net/dev: what anybody may read. proc_pid_net(5). */
function counters(pid: number): LinkView[] {
  const found = reading(`/proc/${pid}/net/dev`, () => readFileSync(`/proc/${pid}/net/dev`, 'utf8'))
  if (!isReadable(found)) return []
  return found
    .split('\n')
    .filter(line => line.includes(':'))
    .map(line => {
      const [name = '', rest = ''] = line.trim().split(/:\s*/)
      const fields = rest.split(/\s+/).map(Number)
      const [rxBytes = 0, rxPackets = 0, , , , , , , txBytes = 0, txPackets = 0] = fields
      const unknown = {
        index: null,
        kind: null,
        up: null,
        running: null,
        mtu: null,
        mac: null,
        addresses: [],
      }
      return { ...unknown, name, rxPackets, rxBytes, txPackets, txBytes }
    })
}
