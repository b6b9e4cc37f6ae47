import type { Attributes, Struct } from './netlink-attributes.ts'
import type { Message } from './netlink.ts'

/**
 * The messages of NETLINK_ROUTE that we exchange, and those of their attributes that we use: rtnetlink(7),
 * linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/veth.h.
 */
export const ifinfomsg = {
  ifi_family: 'u8',
  ifi_pad: 'u8',
  ifi_type: 'u16',
  ifi_index: 'i32',
  ifi_flags: 'u32',
  /** which of the flags a request changes */
  ifi_change: 'u32',
} as const satisfies Struct

export const linkAttributes = {
  IFLA_ADDRESS: [1, 'mac'],
  IFLA_IFNAME: [3, 'string'],
  IFLA_MTU: [4, 'u32'],
  /** of a veth: the index of its peer, in the peer's network namespace */
  IFLA_LINK: [5, 'u32'],
  IFLA_MASTER: [10, 'u32'],
  /** the format of IFLA_INFO_DATA depends on the kind: for a veth it holds vethAttributes */
  IFLA_LINKINFO: [
    18,
    {
      IFLA_INFO_KIND: [1, 'string'],
      IFLA_INFO_DATA: [2, 'bytes'],
      /** the kind of the master link, and the data that it keeps for this one: for a bridge, these */
      IFLA_INFO_SLAVE_KIND: [4, 'string'],
      IFLA_INFO_SLAVE_DATA: [5, { IFLA_BRPORT_ISOLATED: [33, 'u8'] }],
    },
  ],
  IFLA_NET_NS_PID: [19, 'u32'],
  /** a note from the link's creator, at most 255 bytes */
  IFLA_IFALIAS: [20, 'string'],
  IFLA_STATS64: [23, 'bytes'],
  IFLA_NET_NS_FD: [28, 'u32'],
  IFLA_LINK_NETNSID: [37, 'i32'],
} as const satisfies Attributes

/** The value is a link: ifinfomsg, then linkAttributes. */
export const vethAttributes = { VETH_INFO_PEER: [1, 'bytes'] } as const satisfies Attributes

/** The beginning of struct rtnl_link_stats64. */
export const stats64 = {
  rx_packets: 'u64',
  tx_packets: 'u64',
  rx_bytes: 'u64',
  tx_bytes: 'u64',
} as const satisfies Struct

const ifaddrmsg = {
  ifa_family: 'u8',
  ifa_prefixlen: 'u8',
  ifa_flags: 'u8',
  ifa_scope: 'u8',
  ifa_index: 'u32',
} as const satisfies Struct

const addressAttributes = {
  /** for a point-to-point link this is the peer's address; IFA_LOCAL is always our own */
  IFA_ADDRESS: [1, 'ip'],
  IFA_LOCAL: [2, 'ip'],
} as const satisfies Attributes

const rtmsg = {
  rtm_family: 'u8',
  rtm_dst_len: 'u8',
  rtm_src_len: 'u8',
  rtm_tos: 'u8',
  rtm_table: 'u8',
  rtm_protocol: 'u8',
  rtm_scope: 'u8',
  rtm_type: 'u8',
  rtm_flags: 'u32',
} as const satisfies Struct

const routeAttributes = {
  RTA_DST: [1, 'ip'],
  RTA_OIF: [4, 'u32'],
  RTA_GATEWAY: [5, 'ip'],
  RTA_PREFSRC: [7, 'ip'],
} as const satisfies Attributes

const ndmsg = {
  ndm_family: 'u8',
  ndm_pad1: 'u8',
  ndm_pad2: 'u16',
  ndm_ifindex: 'i32',
  ndm_state: 'u16',
  ndm_flags: 'u8',
  ndm_type: 'u8',
} as const satisfies Struct

const neighbourAttributes = { NDA_DST: [1, 'ip'] } as const satisfies Attributes

const EPERM = {
  cause:
    'CAP_NET_ADMIN is needed over every network namespace that takes part, in the user namespace that owns it',
  remedy: 'run it with sudo, or with --rootless: a user namespace gives you your own network namespace',
}
const ERANGE = {
  cause: 'the name of a link has at most 15 bytes (IFNAMSIZ)',
  remedy: 'choose a shorter one',
}
const ESRCH = {
  cause: 'the process whose network namespace was named has ended',
  remedy: 'look at minilab ps',
}
const ENODEV = {
  cause: 'this network namespace has no link of that name',
  remedy: 'see ip link there: it may have been moved to another namespace, or renamed',
}

const family =
  <S extends Struct, A extends Attributes>(struct: S, attributes: A, common: Message['causes']) =>
  (call: string, type: number, causes: Message['causes'] = {}) => ({
    call,
    type,
    struct,
    attributes,
    causes: { ...common, ...causes },
  })
const link = family(ifinfomsg, linkAttributes, { EPERM, ENODEV, ERANGE })
const address = family(ifaddrmsg, addressAttributes, { EPERM })
const route = family(rtmsg, routeAttributes, { EPERM })
const neighbour = family(ndmsg, neighbourAttributes, { EPERM })

export const messages = {
  RTM_NEWLINK: link('RTM_NEWLINK', 16, {
    EEXIST: {
      cause: 'a link of that name exists already (for a veth: one of its two names)',
      remedy: 'choose another name, or delete it: ip link delete NAME',
    },
    EOPNOTSUPP: {
      cause: 'this kernel has no driver for that kind of link, or may not load it',
      remedy: 'load it: sudo modprobe veth (or bridge, dummy)',
    },
    ESRCH,
  }),
  RTM_DELLINK: link('RTM_DELLINK', 17),
  RTM_GETLINK: link('RTM_GETLINK', 18),
  RTM_SETLINK: link('RTM_SETLINK', 19, {
    EEXIST: {
      cause: "a link of that name exists already, in the link's current or new network namespace",
      remedy: 'rename one of them first: ip link set NAME name OTHER',
    },
    EOPNOTSUPP: {
      cause: 'one of the links cannot do that: a master has to be a bridge',
      remedy: 'the link comes first, and then the bridge: setMaster(hostLink, bridge)',
    },
    EBUSY: {
      cause: 'the link is in use: it is up, or belongs to a bridge already',
      remedy: 'set it down first: ip link set NAME down',
    },
    ESRCH,
  }),
  RTM_NEWADDR: address('RTM_NEWADDR', 20, {
    EEXIST: {
      cause: 'the link has this address already',
      remedy: 'choose another, or delete it: ip address delete ADDRESS dev NAME',
    },
  }),
  RTM_GETADDR: address('RTM_GETADDR', 22),
  RTM_NEWROUTE: route('RTM_NEWROUTE', 24, {
    EEXIST: {
      cause: 'there is a route to that network already',
      remedy: 'delete it first: ip route delete NETWORK',
    },
    ENETUNREACH: {
      cause: 'this namespace does not reach the gateway directly',
      remedy: "give a link an address in the gateway's network and set it up first",
    },
    ENODEV: {
      cause: 'a route needs a gateway, or a link that reaches the network directly',
      remedy: 'give an address (via) or a link (on)',
    },
    ENETDOWN: { cause: 'the link is down', remedy: 'set it up first: ip link set NAME up' },
  }),
  RTM_DELROUTE: route('RTM_DELROUTE', 25, {
    ESRCH: { cause: 'there is no such route', remedy: 'see ip route' },
  }),
  RTM_GETROUTE: route('RTM_GETROUTE', 26),
  RTM_DELNEIGH: neighbour('RTM_DELNEIGH', 29, {
    ENOENT: { cause: 'there is no such neighbour', remedy: 'see ip neighbour' },
  }),
}
