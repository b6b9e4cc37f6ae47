import { readdirSync } from 'node:fs'
import type { Requested } from '../../kernel/netlink/netlink.ts'
import type { Spec } from '../spec.ts'

/** How a container's network namespace is connected. */
export type NetworkMode = 'none' | 'host' | 'bridge'
export const NETWORK_MODES: readonly NetworkMode[] = ['none', 'host', 'bridge']

/** What the network part is configured with. */
export interface NetworkPlan {
  mode: NetworkMode
  bridge: string
  /** two isolated containers cannot reach each other over the bridge, only the host and what lies beyond it */
  isolated?: boolean
  /** the networks that a new bridge may get; ours unless given */
  pool?: readonly string[]
}

/** The names and addresses for a container's veth pair. */
export interface Cable {
  bridge: string
  /** with its prefix length: `10.44.0.1/24` */
  bridgeAddress: string
  /** `10.44.0.0/24` */
  subnet: string
  /** the bridge's address without the prefix length: the container's default gateway */
  gateway: string
  /** the container's: `10.44.0.2` */
  address: string
  /** the host's end of the veth pair */
  hostLink: string
}

/** The netlink requests made for a container. */
export interface NetworkRequests {
  host: Requested[]
  container: Requested[]
}

/** A network of the given mode. */
export function planNetwork(mode: NetworkMode, bridge = 'minilab0'): NetworkPlan {
  return { mode, bridge }
}

/**
 * Mode host: the spec without its own network namespace. A new sysfs shows the interfaces of one network namespace, so only a process
 * with rights over that namespace may mount it (fs/sysfs/mount.c). The host's sysfs is bound instead; mounts below it stay hidden,
 * and the container's own cgroups, if the spec has them, lie on the machine's.
 */
export function shareHostNetwork({ linux, mounts }: Spec): void {
  linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'network')
  const sysfs = mounts.find(({ type }) => type === 'sysfs')
  if (!sysfs) return
  Object.assign(sysfs, { type: 'bind', source: '/sys', options: ['rbind', ...(sysfs.options ?? [])] })
  const fileSystems = mounts.some(({ destination }) => destination === '/sys/fs/cgroup')
    ? readdirSync('/sys/fs').flatMap(name => (name === 'cgroup' ? [] : `/sys/fs/${name}`))
    : ['/sys/fs']
  linux.maskedPaths = [...(linux.maskedPaths ?? []), ...fileSystems, '/sys/kernel']
}
