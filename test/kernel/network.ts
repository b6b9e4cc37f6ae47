import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { openRtnetlinkIn, type Rtnetlink } from '../../lib/kernel/netlink/rtnetlink.ts'

/** Why tests of networks cannot run here, in parentheses; empty where they can. */
export const lacking = lacks('ip', '-V')
  ? ' (iproute2 is not installed)'
  : lacks('unshare', '-Urn', 'true')
    ? ' (no user namespaces here)'
    : ''

function lacks(command: string, ...args: string[]): boolean {
  return spawnSync(command, args).status !== 0
}

/** A network namespace that a test made, and how iproute2 sees it. */
export interface Network {
  /** of the process that holds it */
  pid: number
  /** Runs a program there and returns what it prints. Throws with its stderr where it fails. */
  run(command: string, ...args: string[]): string
  /** what `ip -j -d` prints there */
  ip(...args: string[]): Record<string, any>[]
  /** the names of the links there, sorted */
  names(): string[]
}
const held: ChildProcess[] = []
const connections: Rtnetlink[] = []

/**
 * Makes a network namespace (`-n`), or one in a user namespace of its own (`-Urn`), held by a child until `releaseAll`. It
 * forwards nothing, whatever the machine does.
 */
export async function hold(flag: '-n' | '-Urn', user: { uid?: number; gid?: number } = {}): Promise<Network> {
  const options = { ...user, stdio: ['pipe', 'pipe', 'inherit'] as ['pipe', 'pipe', 'inherit'] }
  const child = spawn(
    'unshare',
    [flag, 'sh', '-c', 'echo 0 >/proc/sys/net/ipv4/ip_forward; echo; exec cat'],
    options,
  )
  held.push(child)
  await once(child.stdout, 'data') // it is in its namespaces
  const pid = child.pid!
  const enter = ['-t', String(pid), '-n', ...(flag === '-Urn' ? ['-U', '--preserve-credentials'] : [])]
  const run = (...command: string[]) =>
    execFileSync('nsenter', [...enter, ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  const ip = (...args: string[]) =>
    JSON.parse(run('ip', '-j', '-d', ...args) || '[]') as Record<string, any>[]
  const names = () =>
    ip('link')
      .map(link => link.ifname as string)
      .sort()
  return { pid, run, ip, names }
}

/** Opens a connection to a network namespace, closed by `releaseAll`. */
export async function connect(pid: number): Promise<Rtnetlink> {
  const net = await openRtnetlinkIn(pid)
  connections.push(net)
  return net
}

/** Ends what `hold` and `connect` made. */
export async function releaseAll(): Promise<void> {
  for (const net of connections.splice(0)) net.close()
  for (const child of held.splice(0)) {
    child.stdin!.end()
    if (child.exitCode === null) await once(child, 'exit')
  }
}
