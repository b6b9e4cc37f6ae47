import { certain } from '../../common/certain.ts'
import { randomBytes } from '../process/random.ts'
import {
  AF_INET,
  AF_NETLINK,
  IFF_UP,
  NETLINK_ROUTE,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  RT_SCOPE_LINK,
  RT_SCOPE_NOWHERE,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_MAIN,
  RTN_UNICAST,
  RTPROT_BOOT,
  SOCK_CLOEXEC,
  SOCK_RAW,
} from '../syscalls/constants.ts'
import { MinilabError } from '../../common/errors.ts'
import { parseNetwork } from './ip-address.ts'
import { quote } from '../syscalls/argument-kinds.ts'
import { type Link, toLink } from './link.ts'
import { type AttributesOf, encodeAttributes, encodeStruct } from './netlink-attributes.ts'
import { Netlink } from './netlink.ts'
import { now } from '../syscalls/now.ts'
import { ifinfomsg, linkAttributes, messages, vethAttributes } from './rtnetlink-messages.ts'
import { visit } from '../tape/visit.ts'

export interface Address {
  dev: string
  /** with its prefix length: `10.1.2.3/24` */
  address: string
}
/** A route to a network (`10.1.2.0/24`), or `default`; through a gateway, or without `via` directly on the link. */
export interface Route {
  to: string
  via?: string
  dev?: string
}
/** A network namespace: that of a process, or given by a descriptor of ours for /proc/<pid>/ns/net. */
export type Netns = { pid: number } | { fd: number }

/** A connection to the network configuration of this thread's network namespace. Close it after use. */
export function openRtnetlink(): Rtnetlink {
  return new Rtnetlink(now.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE))
}

/**
 * The same for the network namespace of a process. A socket always belongs to the namespace in which it was
 * opened, so a child joins the namespace and opens it. Root may join any; an ordinary user only if one of their own processes
 * made the user namespace. The kernel checks our own rights for each request, and the creator
 * of a user namespace has all capabilities over it from outside too: user_namespaces(7).
 */
export async function openRtnetlinkIn(pid: number): Promise<Rtnetlink> {
  const replayed = await visit(pid, ['user', 'net'], tape => {
    tape.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)
  })
  return new Rtnetlink(certain(replayed.find(({ call }) => call === 'socket')?.result))
}

/** Sets up the loopback interface in the network namespace of a process: in a new namespace it is down. */
export async function setLoopbackUp(pid: number): Promise<void> {
  using network = await openRtnetlinkIn(pid)
  network.setUp('lo')
}

/**
 * The links, addresses and routes of one network namespace: rtnetlink(7). Links are given by name. Each method makes
 * one request (methods that need a link's index ask for it first) and throws a NetlinkError if the kernel refuses.
 */
export class Rtnetlink extends Netlink {
  links(): Link[] {
    return this.request(messages.RTM_GETLINK, 'NLM_F_DUMP', {}, NLM_F_DUMP).map(toLink)
  }

  link(name: string): Link {
    const answers = this.request(messages.RTM_GETLINK, printDev(name), { attributes: { IFLA_IFNAME: name } })
    return toLink(certain(answers[0]))
  }

  /** Makes a veth pair; with `netns` the second end is made there. The pair disappears when either end does. */
  addVeth(name: string, peerName: string, netns?: Netns): void {
    const peer = { IFLA_IFNAME: peerName, ...(netns && target(netns)) }
    const link = Buffer.concat([encodeStruct(ifinfomsg, {}), encodeAttributes(linkAttributes, peer)])
    const data = encodeAttributes(vethAttributes, { VETH_INFO_PEER: link })
    const where = netns ? ` ${printNetns(netns)}` : ''
    this.#add('veth', name, `veth ${quote(name)} peer ${quote(peerName)}${where}`, { IFLA_INFO_DATA: data })
  }

  /**
   * Makes a bridge, to which `setMaster` attaches links. It gets its own fixed link-layer address. Otherwise it would have the address of
   * a port, and change it when ports come and go, so hosts would send to a stale address (br_stp_recalculate_bridge_id, net/bridge).
   */
  addBridge(name: string): void {
    // 02: locally administered, unicast
    const mac = [0x02, ...randomBytes(5)].map(byte => byte.toString(16).padStart(2, '0')).join(':')
    this.#add('bridge', name, `bridge ${quote(name)}`, {}, { IFLA_ADDRESS: mac })
  }

  /** Makes a dummy link: it drops every packet sent to it. */
  addDummy(name: string): void {
    this.#add('dummy', name)
  }

  #add(kind: string, name: string, args = `${kind} ${quote(name)}`, data = {}, more = {}): void {
    const attributes = { IFLA_IFNAME: name, ...more, IFLA_LINKINFO: { IFLA_INFO_KIND: kind, ...data } }
    this.request(messages.RTM_NEWLINK, args, { attributes }, NLM_F_CREATE | NLM_F_EXCL)
  }

  setMaster(link: string, bridge: string): void {
    this.#set(link, `master ${quote(bridge)}`, { IFLA_MASTER: this.link(bridge).index })
  }

  /** Isolates a link on a bridge: it reaches the bridge itself and what lies behind it, but no other isolated link. */
  isolate(link: string): void {
    const slave = { IFLA_INFO_SLAVE_KIND: 'bridge', IFLA_INFO_SLAVE_DATA: { IFLA_BRPORT_ISOLATED: 1 } }
    const attributes = { IFLA_IFNAME: link, IFLA_LINKINFO: slave }
    // bridge attributes are changed by RTM_NEWLINK: rtnl_changelink() in net/core/rtnetlink.c
    this.request(messages.RTM_NEWLINK, `${printDev(link)} type bridge_slave isolated on`, { attributes })
  }

  /** Whether a link is isolated. */
  isIsolated(link: string): boolean {
    const answers = this.request(messages.RTM_GETLINK, printDev(link), { attributes: { IFLA_IFNAME: link } })
    const { IFLA_INFO_SLAVE_KIND: kind, IFLA_INFO_SLAVE_DATA: data } =
      certain(answers[0]).attributes.IFLA_LINKINFO ?? {}
    return kind === 'bridge' && data?.IFLA_BRPORT_ISOLATED === 1
  }

  setUp(link: string): void {
    this.#set(link, 'up', {}, { ifi_flags: IFF_UP, ifi_change: IFF_UP })
  }

  setDown(link: string): void {
    this.#set(link, 'down', {}, { ifi_flags: 0, ifi_change: IFF_UP })
  }

  rename(link: string, name: string): void {
    // the name attribute holds the new name here, so the link must be given by its index
    const { index } = this.link(link)
    this.#set(link, `name ${quote(name)}`, { IFLA_IFNAME: name }, { ifi_index: index })
  }

  /** The maximum packet size, in bytes without the link's own header. */
  setMtu(link: string, mtu: number): void {
    this.#set(link, `mtu ${mtu}`, { IFLA_MTU: mtu })
  }

  setMac(link: string, mac: string): void {
    if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac))
      throw new MinilabError(
        'usage',
        `${quote(mac)} is not a link-layer address`,
        'write it like 02:42:ac:11:00:02',
      )
    this.#set(link, `address ${mac}`, { IFLA_ADDRESS: mac })
  }

  /** Stores a note about a link; `ip link` shows it. */
  setAlias(link: string, alias: string): void {
    this.#set(link, `alias ${quote(alias)}`, { IFLA_IFALIAS: alias })
  }

  /** Moves a link into another network namespace, where it is down and has no addresses. */
  moveTo(link: string, netns: Netns): void {
    this.#set(link, printNetns(netns), target(netns))
  }

  #set(
    link: string,
    change: string,
    attributes: AttributesOf<typeof linkAttributes>,
    struct: { ifi_index?: number; ifi_flags?: number; ifi_change?: number } = {},
  ): void {
    const content = { struct, attributes: { IFLA_IFNAME: link, ...attributes } }
    this.request(messages.RTM_SETLINK, `${printDev(link)} ${change}`, content)
  }

  delete(link: string): void {
    this.request(messages.RTM_DELLINK, printDev(link), { attributes: { IFLA_IFNAME: link } })
  }

  addresses(): Address[] {
    const names = this.#names()
    return this.request(messages.RTM_GETADDR, 'NLM_F_DUMP', {}, NLM_F_DUMP).map(({ struct, attributes }) => ({
      dev: names.get(struct.ifa_index) ?? `if${struct.ifa_index}`,
      address: `${attributes.IFA_LOCAL ?? attributes.IFA_ADDRESS}/${struct.ifa_prefixlen}`,
    }))
  }

  /** Gives a link an address, like `10.1.2.3/24`, and a route to its network while the link is up. */
  addAddress(link: string, address: string): void {
    const { family, ip, length } = parseNetwork(address)
    const struct = { ifa_family: family, ifa_prefixlen: length, ifa_index: this.link(link).index }
    const content = { struct, attributes: { IFA_LOCAL: ip, IFA_ADDRESS: ip } }
    this.request(messages.RTM_NEWADDR, `${address} ${printDev(link)}`, content, NLM_F_CREATE | NLM_F_EXCL)
  }

  /** The routes of the main table: what `ip route` and `ip -6 route` show. */
  routes(): Route[] {
    const names = this.#names()
    return this.request(messages.RTM_GETROUTE, 'NLM_F_DUMP', {}, NLM_F_DUMP)
      .filter(({ struct }) => struct.rtm_table === RT_TABLE_MAIN && struct.rtm_type === RTN_UNICAST)
      .map(({ struct, attributes: { RTA_DST, RTA_GATEWAY, RTA_OIF } }) => ({
        to: RTA_DST ? `${RTA_DST}/${struct.rtm_dst_len}` : 'default',
        ...(RTA_GATEWAY && { via: RTA_GATEWAY }),
        ...(RTA_OIF && { dev: names.get(RTA_OIF) ?? `if${RTA_OIF}` }),
      }))
  }

  addRoute(route: Route): void {
    const kind = {
      rtm_protocol: RTPROT_BOOT,
      rtm_scope: route.via ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
      rtm_type: RTN_UNICAST,
    }
    this.#route('RTM_NEWROUTE', route, kind, NLM_F_CREATE | NLM_F_EXCL)
  }

  delRoute(route: Route): void {
    this.#route('RTM_DELROUTE', route, { rtm_scope: RT_SCOPE_NOWHERE }) // any scope
  }

  #route(call: 'RTM_NEWROUTE' | 'RTM_DELROUTE', { to, via, dev }: Route, kind: object, flags = 0): void {
    const gateway = via === undefined ? undefined : parseNetwork(via)
    const everything = { family: gateway?.family ?? AF_INET, ip: '', length: 0 }
    const { family, ip, length } = to === 'default' ? everything : parseNetwork(to)
    const attributes = {
      ...(length > 0 && { RTA_DST: ip }),
      ...(gateway && { RTA_GATEWAY: gateway.ip }),
      ...(dev && { RTA_OIF: this.link(dev).index }),
    }
    const args = [to, via && `via ${via}`, dev && printDev(dev)].filter(Boolean).join(' ')
    const struct = { rtm_family: family, rtm_dst_len: length, rtm_table: RT_TABLE_MAIN, ...kind }
    this.request(messages[call], args, { struct, attributes }, flags)
  }

  /** Deletes the link-layer address stored for an address on a link, because another host may get that address soon. */
  delNeighbour(link: string, address: string): void {
    const { family, ip } = parseNetwork(address)
    const struct = { ndm_family: family, ndm_ifindex: this.link(link).index }
    const content = { struct, attributes: { NDA_DST: ip } }
    this.request(messages.RTM_DELNEIGH, `${address} ${printDev(link)}`, content)
  }

  #names(): Map<number, string> {
    return new Map(this.links().map(({ index, name }) => [index, name]))
  }
}

// requests are displayed in the terms of ip(8)
const printDev = (name: string) => `dev ${quote(name)}`
const printNetns = (netns: Netns) => ('pid' in netns ? `netns ${netns.pid}` : `netns fd ${netns.fd}`)
const target = (netns: Netns) =>
  'pid' in netns ? { IFLA_NET_NS_PID: netns.pid } : { IFLA_NET_NS_FD: netns.fd }
