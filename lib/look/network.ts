import { readFileSync } from 'node:fs'
import { isGone, namespaceInode, status, unlessGone } from '../kernel/process/procfs.ts'
import type { Link } from '../kernel/netlink/link.ts'
import { type Address, openRtnetlink, openRtnetlinkIn, type Route } from '../kernel/netlink/rtnetlink.ts'
import { isReadable, type Readable, reading, readingAsync } from './readable.ts'
import type { Cable, LinkView, Network, Outside, RouteView } from './snapshot-shape.ts'

/** What rtnetlink(7) says about one network namespace, and the process through which we know it. */
interface Told {
  pid: number
  inode: number | null
  links: Link[]
  addresses: Address[]
  routes: Route[]
}

/**
 * The links of a container's network namespace, their addresses and counters, and where their cables lead. If it is the host's,
 * only says so. Throws ENOENT or ESRCH if the process has ended.
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

/** The host's network namespace: process 1's, or ours if we may not read that. */
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
 * The far ends of a container's cables. They are in the namespace from which it was connected: that of one of the process's
 * ancestors, or ours (we may not be able to read process 1's). Both ends name each other's index.
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
  // an index is unique only within its namespace: the far end must also name ours, and say that ours is in another namespace
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

/** The parent of a process, its parent, and so on, up to process 1. */
function ancestors(pid: number): number[] {
  const found: number[] = []
  for (let next = pid; next > 1;) {
    const child = next
    next = unlessGone(() => Number(status(child).PPid)) ?? 1 // the children of a process that has just ended belong to process 1
    if (next > 0) found.push(next)
  }
  return found.includes(1) ? found : [...found, 1]
}

/** Undefined if the process has ended: it is an ancestor, and the container runs on without it. */
async function readingIfThere<T>(look: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await look()
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}

/** Names and counters of the links from /proc/<pid>/net/dev, which every user may read: proc_pid_net(5). */
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
