/** How a container's network namespace is connected. */
export type NetworkMode = 'none' | 'host' | 'bridge'
export const NETWORK_MODES: readonly NetworkMode[] = ['none', 'host', 'bridge']

/** What the network part is asked for, and what it has chosen. */
export interface Network {
  mode: NetworkMode
  bridge: string
  /** chosen when the container is prepared: `10.44.0.2`, the bridge's own address, and the length of the prefix */
  address?: string
  gateway?: string
  prefix?: number
  /** the host's end of the veth pair */
  hostLink?: string
  /** the netlink requests made on the host for it, to be shown like a tape */
  log: NetlinkRecord[]
}

export interface NetlinkRecord {
  call: string
  args: string
  result: number | null
  errno: string | null
  ns: number
}

/** A network of the given mode, with nothing chosen yet. */
export function planNetwork(mode: NetworkMode, bridge = 'minilab0'): Network {
  return { mode, bridge, log: [] }
}
