import { MinilabError } from '../../common/errors.ts'
import type { Endpoint } from '../../kernel/syscalls/sockaddr.ts'
import { addIptables, addNftTable } from './firewall.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { findProgram } from './rule-tool.ts'

/**
 * Network address translation: the kernel rewrites addresses in packets on their way, by rules that nft or iptables
 * gives it. It matches the first packet of a connection against the rules; connection tracking treats the rest the same way.
 */
export interface Nat {
  /** packets to this address and port of the host are sent on to the container's */
  publish: { at: Endpoint; to: Endpoint }[]
  /** packets from this network (`10.44.0.0/24`) that leave by this interface get the host's address on it */
  masquerade: { from: string; out: string }[]
}

const TOOLS = ['nft', 'iptables'] as const
export type NatTool = (typeof TOOLS)[number]

/** The rules as given to a tool, and the command that shows them with their counters. */
export interface NatRules {
  tool: NatTool
  text: string[]
  list: string[]
}

/** The program for the rules, nft before iptables; undefined if neither is installed. */
export function natTool(): { tool: NatTool; path: string } | undefined {
  for (const tool of TOOLS) {
    const path = findProgram(tool)
    if (path) return { tool, path }
  }
  return undefined
}

/** Adds rules to the kernel under a unique name. TCP only. Throws a MinilabError (limited). */
export function addNat(ledger: Ledger, name: string, nat: Nat): NatRules {
  const found = natTool()
  if (!found)
    throw new MinilabError(
      'limited',
      'neither nft nor iptables is installed, and one of them is needed for firewall rules',
      'sudo apt-get install nftables',
    )
  const { tool, path } = found
  return tool === 'nft' ? withNft(ledger, path, nat, name) : withIptables(ledger, path, nat)
}

function withNft(ledger: Ledger, path: string, { publish, masquerade }: Nat, name: string): NatRules {
  const text = [
    `table ip ${name} {`,
    '  chain incoming {',
    '    type nat hook prerouting priority -100',
    ...publish.map(
      ({ at, to }) =>
        `    ip daddr ${at.address} tcp dport ${at.port} counter dnat to ${to.address}:${to.port}`,
    ),
    '  }',
    '  chain outgoing {',
    '    type nat hook postrouting priority 100',
    ...masquerade.map(({ from, out }) => `    ip saddr ${from} oifname "${out}" counter masquerade`),
    '  }',
    '}',
  ]
  addNftTable(ledger, path, name, text)
  return { tool: 'nft', text, list: [path, 'list', 'table', 'ip', name] }
}

function withIptables(ledger: Ledger, path: string, { publish, masquerade }: Nat): NatRules {
  const rules = [
    ...publish.map(
      ({ at, to }) =>
        `PREROUTING -d ${at.address} -p tcp --dport ${at.port} -j DNAT --to-destination ${to.address}:${to.port}`,
    ),
    ...masquerade.map(({ from, out }) => `POSTROUTING -s ${from} -o ${out} -j MASQUERADE`),
  ]
  for (const rule of rules) addIptables(ledger, path, 'nat', rule.split(' '))
  return {
    tool: 'iptables',
    text: rules.map(rule => `-I ${rule}`),
    list: [path, '-w', '-t', 'nat', '-S', '-v'],
  }
}
