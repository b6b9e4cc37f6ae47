import { certain } from '../../common/certain.ts'
import { IFF_RUNNING, IFF_UP } from '../syscalls/constants.ts'
import { decodeStruct } from './netlink-attributes.ts'
import type { Answer } from './netlink.ts'
import { type messages, stats64 } from './rtnetlink-messages.ts'

/** A network interface, as the kernel describes it: rtnetlink(7), netdevice(7). */
export interface Link {
  index: number
  name: string
  /** set up by an administrator (IFF_UP) */
  up: boolean
  /** up, and able to carry packets: a veth only while its peer is up too (IFF_RUNNING) */
  running: boolean
  mtu: number
  mac: string | null
  /** a note for people who read `ip link`, and for us: written by `setAlias` */
  alias: string | null
  /** `veth`, `bridge` …; null for hardware and the loopback */
  kind: string | null
  /** the index of the bridge it belongs to */
  master: number | null
  /** of a veth: the index of its peer, in the peer's network namespace */
  peerIndex: number | null
  /** the peer's network namespace, by the number that this namespace has for it; null if it is the same */
  linkNetnsId: number | null
  stats: { rxPackets: number; txPackets: number; rxBytes: number; txBytes: number }
}

/** What RTM_GETLINK answers with. */
export function toLink({ struct, attributes }: Answer<typeof messages.RTM_GETLINK>): Link {
  const { rx_packets, tx_packets, rx_bytes, tx_bytes } = decodeStruct(
    stats64,
    certain(attributes.IFLA_STATS64),
  )
  return {
    index: struct.ifi_index,
    name: certain(attributes.IFLA_IFNAME),
    up: (struct.ifi_flags & IFF_UP) !== 0,
    running: (struct.ifi_flags & IFF_RUNNING) !== 0,
    mtu: certain(attributes.IFLA_MTU),
    mac: attributes.IFLA_ADDRESS ?? null,
    alias: attributes.IFLA_IFALIAS ?? null,
    kind: attributes.IFLA_LINKINFO?.IFLA_INFO_KIND ?? null,
    master: attributes.IFLA_MASTER ?? null,
    peerIndex: attributes.IFLA_LINK ?? null,
    linkNetnsId: attributes.IFLA_LINK_NETNSID ?? null,
    stats: { rxPackets: rx_packets, txPackets: tx_packets, rxBytes: rx_bytes, txBytes: tx_bytes },
  }
}
