import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { readControl, writeControl } from '../kernel/control-file.ts'
import { SyscallError } from '../kernel/syscall-error.ts'
import { currentNetns, type Ledger } from './ledger.ts'
import { LimitedError } from './limited.ts'

/** What the host passes on between its links, and what its firewall says to that. */

// an ordinary user's PATH often lacks the folders of the administrator's programs
const FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** The path of a program of the host, or undefined where it is not installed. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':').filter(Boolean), ...FOLDERS]
  return folders.map(folder => join(folder, name)).find(isExecutable)
}

/** Runs a program that changes rules; returns what it printed. Throws a LimitedError with what it said. */
export function runRuleTool([program = '', ...args]: readonly string[], input = ''): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { input, encoding: 'utf8' })
  if (status === 0) return stdout
  const said = error?.message ?? stderr.trim().split('\n')[0] ?? ''
  throw new LimitedError(
    `${program} failed: ${said || `status ${status}`}`,
    'see that the kernel has its modules: sudo modprobe -a nf_tables nft_chain_nat nft_masq',
  )
}

/**
 * Makes the host a router for packets that come in by a link. The setting counts for each link by itself
 * (ip-sysctl.rst, conf/<interface>/forwarding), so the others stay as they are. Throws a LimitedError.
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
    throw new LimitedError(
      `the host cannot be made to pass packets on: ${error.message}`,
      'run it where /proc/sys may be written: on the machine itself, or in a privileged container',
    )
  }
}

/**
 * Lets a container's packets through where the host's firewall drops by default what it forwards, as docker and ufw set
 * it up; with br_netfilter that concerns packets between two containers of one bridge, too.
 */
export function letThrough(ledger: Ledger, bridge: string, address: string): void {
  const iptables = findProgram('iptables')
  if (!iptables) return
  const rules = spawnSync(iptables, ['-w', '-S', 'FORWARD'], { encoding: 'utf8' }).stdout ?? ''
  if (!rules.startsWith('-P FORWARD DROP')) return
  const directions = [
    ['-i', bridge, '-s', address],
    ['-o', bridge, '-d', address],
  ]
  for (const match of directions) {
    const rule = ['FORWARD', ...match, '-j', 'ACCEPT']
    ledger.add({ kind: 'rules', remove: [iptables, '-w', '-D', ...rule], netns: currentNetns() })
    runRuleTool([iptables, '-w', '-I', ...rule])
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false // not there, or not for us: both mean that it cannot be used
  }
}
