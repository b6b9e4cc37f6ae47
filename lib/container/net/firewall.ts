import { MinilabError } from '../../common/errors.ts'
import { readControl, writeControl } from '../../kernel/cgroup/control-file.ts'
import { mayFilterForwarded } from '../../kernel/netlink/netfilter.ts'
import { SyscallError } from '../../kernel/syscalls/syscall-error.ts'
import { currentNetns, type Ledger } from '../ledger/ledger.ts'
import { type PacketRules, ruleCommand } from './packet-rules.ts'
import { findProgram, runRuleTool } from './rule-tool.ts'

/** Which packets the host forwards between its interfaces, and what its firewall does with them. */

/**
 * Makes the host a router for packets that come in on an interface. The setting is per interface
 * (ip-sysctl.rst, conf/<interface>/forwarding), so the others stay as they are. Throws a MinilabError (limited).
 */
export function forwardFrom(ledger: Ledger, link: string): void {
  const path = `/proc/sys/net/ipv4/conf/${link}/forwarding`
  const before = readControl(path)
  if (before === '1') return
  ledger.add({ kind: 'sysctl', path, before, set: '1', netns: currentNetns() })
  try {
    writeControl(path, '1')
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    throw new MinilabError(
      'limited',
      `IP forwarding cannot be enabled on the host: ${error.message}`,
      'run it where /proc/sys is writable: on the machine itself, or in a privileged container',
    )
  }
}

/**
 * Lets a container's packets through if the host's firewall drops forwarded packets by default, as docker and ufw
 * configure it. With br_netfilter this also concerns packets between two containers on one bridge.
 */
export function letThrough(ledger: Ledger, bridge: string, address: string): void {
  if (!mayFilterForwarded()) return
  const iptables = findProgram('iptables')
  if (!iptables || !runRuleTool([iptables, '-w', '-S', 'FORWARD']).said.startsWith('-P FORWARD DROP')) return
  addIptables(ledger, iptables, 'filter', ['FORWARD', '-i', bridge, '-s', address, '-j', 'ACCEPT'])
  addIptables(ledger, iptables, 'filter', ['FORWARD', '-o', bridge, '-d', address, '-j', 'ACCEPT'])
}

/** Inserts a rule before all others of its chain; the ledger records it first. Throws a MinilabError (limited). */
export function addIptables(
  ledger: Ledger,
  path: string,
  table: 'nat' | 'filter',
  rule: readonly string[],
): void {
  const rules: PacketRules = { tool: 'iptables', table, rule: [...rule] }
  ledger.add({ kind: 'rules', ...rules, netns: currentNetns() })
  refuse(runRuleTool(ruleCommand(rules, 'add', path)))
}

/** nft(8): our own table, made in one transaction and removed as a whole; the ledger records it first. Throws a MinilabError (limited). */
export function addNftTable(ledger: Ledger, path: string, name: string, text: readonly string[]): void {
  ledger.add({ kind: 'rules', tool: 'nft', table: name, netns: currentNetns() })
  refuse(runRuleTool([path, '-f', '-'], text.join('\n') + '\n'))
}

function refuse({ ok, said }: { ok: boolean; said: string }): void {
  if (ok) return
  throw new MinilabError(
    'limited',
    `the kernel's packet filter refuses new rules: ${said}`,
    'load its modules: sudo modprobe -a nf_tables nft_chain_nat nft_masq',
  )
}
