import { existsSync, readFileSync } from 'node:fs'
import { codeOf } from '../../common/error-code.ts'
import { AF_INET, AF_NETLINK, NETLINK_NETFILTER, SOCK_CLOEXEC, SOCK_RAW } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'
import type { Message } from './netlink.ts'
import { Netlink } from './netlink.ts'

/** linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h: NFT_MSG_GETCHAIN of the subsystem NFNL_SUBSYS_NFTABLES. */
const GETCHAIN = {
  call: 'NFT_MSG_GETCHAIN',
  type: (10 << 8) | 4,
  struct: { nfgen_family: 'u8', version: 'u8', res_id: 'u16' },
  attributes: { NFTA_CHAIN_TABLE: [1, 'string'], NFTA_CHAIN_NAME: [3, 'string'] },
  causes: {},
} as const satisfies Message

/** What the kernel answers if it has no such chain, or no nf_tables at all. */
const ABSENT = ['ENOENT', 'EOPNOTSUPP', 'EPROTONOSUPPORT', 'EAFNOSUPPORT', 'EINVAL']
/** The tables of iptables-legacy; the file exists once its module is loaded. */
const LEGACY = '/proc/net/ip_tables_names'

/**
 * Whether iptables, of either kind, may have a chain FORWARD in its table filter: where it has none, every packet is forwarded. One
 * message to the kernel answers it, in place of a start of iptables. True if we may not know.
 */
export function mayFilterForwarded(): boolean {
  try {
    if (existsSync(LEGACY) && readFileSync(LEGACY, 'utf8').split('\n').includes('filter')) return true
    using netlink = new Netlink(now.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER))
    netlink.request(GETCHAIN, 'filter FORWARD', {
      struct: { nfgen_family: AF_INET },
      attributes: { NFTA_CHAIN_TABLE: 'filter', NFTA_CHAIN_NAME: 'FORWARD' },
    })
    return true
  } catch (error) {
    return !ABSENT.includes(codeOf(error) ?? '')
  }
}
