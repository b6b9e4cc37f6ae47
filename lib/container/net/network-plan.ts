import type { Requested } from '../../kernel/netlink/netlink.ts'
import type { Spec } from '../spec.ts'

/** How a container's network namespace is connected. */
export type NetworkMode = 'none' | 'host' | 'bridge'
export const NETWORK_MODES: readonly NetworkMode[] = ['none', 'host', 'bridge']

/** What the network part is asked for. */
export interface NetworkPlan {
  mode: NetworkMode
  bridge: string
  /** others that are isolated too cannot be reached over the bridge, only the host and what lies beyond */
  isolated?: boolean
  /** the networks that a new bridge may have; ours, unless given */
  pool?: readonly string[]
}

/** The names and addresses that a container's cable is made with. */
export interface Cable {
  bridge: string
  /** with the length of its network: `10.44.0.1/24` */
  bridgeAddress: string
  /** `10.44.0.0/24` */
  subnet: string
  /** the bridge's address by itself, the way out */
  gateway: string
  /** the container's: `10.44.0.2` */
  address: string
  /** the host's end of the veth pair */
  hostLink: string
}

/** The netlink requests that were made for a container. */
export interface NetworkRequests {
  host: Requested[]
  container: Requested[]
}

/** A network of the given mode. */
export function planNetwork(mode: NetworkMode, bridge = 'minilab0'): NetworkPlan {
  return { mode, bridge }
}

/**
 * Mode host: the spec without a network namespace of its own. A new sysfs shows the links of one, so only whoever has
 * rights over it may mount it (fs/sysfs/mount.c). The host's own is bound instead; what is mounted below that stays hidden.
 */
export function shareHostNetwork({ linux, mounts }: Spec): void {
  linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'network')
  const sysfs = mounts.find(({ type }) => type === 'sysfs')
  if (!sysfs) return
  Object.assign(sysfs, { type: 'bind', source: '/sys', options: ['rbind', ...(sysfs.options ?? [])] })
  linux.maskedPaths = [...(linux.maskedPaths ?? []), '/sys/fs', '/sys/kernel']
}
