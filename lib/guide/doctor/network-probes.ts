import { startInSandbox } from '../../sandbox/start.ts'
import { natTool, type NatTool } from '../../container/net/nat.ts'
import { openRtnetlink, openRtnetlinkIn } from '../../kernel/netlink/rtnetlink.ts'
import { SyscallError } from '../../kernel/syscalls/syscall-error.ts'
import { ok, OWN_MACHINE, type Probe } from './probe.ts'
import { isReadOnly } from './surroundings.ts'
import { attempt, reasonOf, remedyOf } from './trial.ts'

/** What a container's network is made of. Tried in network namespaces that end at once. */
export const networkProbes: Probe[] = [
  {
    id: 'links',
    title: 'bridge and veth',
    after: ['user-namespaces'],
    async look(machine) {
      const namespaceTypes = ['user', 'network'] as const
      const refusal = await attempt(machine, { namespaceTypes, attach: plugTogether })
      if (refusal)
        return {
          ok: 'blocked',
          found: reasonOf(refusal),
          fix: remedyOf(refusal) ?? 'sudo modprobe -a bridge veth',
        }
      if (machine.rootless) return ok('may be made, in your own sandbox')
      if (mayChangeLinks()) return ok('may be made')
      const found = 'root may not change the links of this network namespace (no CAP_NET_ADMIN over it)'
      return { ok: 'blocked', found, fix: './minilab step 6 --rootless' }
    },
  },

  {
    id: 'nat',
    title: 'NAT tool',
    after: ['links'],
    async look() {
      const installed = natTool()
      if (!installed) {
        const found = 'neither nft nor iptables is installed'
        return { ok: 'limited', found, fix: 'sudo apt-get install nftables' }
      }
      const { tool, path } = installed
      const script = `exec >/dev/null 2>&1; ${RULES[tool]}`
      const sandbox = await startInSandbox(
        { kind: 'network' },
        { args: ['/bin/sh', '-c', script, path], env: process.env },
      )
      if ((await sandbox.exit).status === 0) return ok(`${tool} (${path})`)
      const fix = 'sudo modprobe -a nf_tables nft_chain_nat nft_nat nft_masq'
      return { ok: 'limited', found: `${path} cannot give this kernel rules`, fix }
    },
  },

  {
    id: 'forwarding',
    title: 'forwarding',
    look() {
      if (!isReadOnly('/proc/sys/net/ipv4/conf/all/forwarding')) return ok('may be switched on for a link')
      const found = '/proc/sys is read-only, so this machine cannot be made a router'
      return { ok: 'limited', found, fix: OWN_MACHINE }
    },
  },
]

async function plugTogether(pid: number): Promise<void> {
  using network = await openRtnetlinkIn(pid)
  network.addBridge('switch')
  network.addVeth('cable', 'far-end')
  network.setMaster('cable', 'switch')
  network.setUp('cable')
}

/**
 * rtnetlink(7): the kernel checks the right before it looks for the link. So without the right the answer is EPERM; with it,
 * that the link does not exist.
 */
function mayChangeLinks(): boolean {
  using network = openRtnetlink()
  try {
    network.delete('ml-no-such-link')
    return true
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    return error.code !== 'EPERM'
  }
}

/** Adds a rule like those of step 6 with each tool. A shell runs it; $0 is the tool. */
const RULES: Record<NatTool, string> = {
  nft: `exec "$0" 'table ip trial {
    chain incoming { type nat hook prerouting priority -100; tcp dport 1 counter dnat to 127.0.0.1:1; }
    chain outgoing { type nat hook postrouting priority 100; counter masquerade; }
  }'`,
  iptables: `"$0" -w -t nat -A PREROUTING -p tcp --dport 1 -j DNAT --to-destination 127.0.0.1:1 &&
    exec "$0" -w -t nat -A POSTROUTING -j MASQUERADE`,
}
