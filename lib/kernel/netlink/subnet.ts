import { encodeIP, parseNetwork } from './ip-address.ts'

/** Arithmetic on IPv4 networks, written like `10.44.0.0/24`. */

/** The nth address in the network of an address with a prefix length: `nth('10.44.0.7/24', 1)` is 10.44.0.1. */
export function nth(network: string, n: number): string {
  const address = (start(network) + n) >>> 0
  return [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.')
}

/** How many hosts fit in a network: all addresses but the first, which names the network, and the last, the broadcast address. */
export function room(network: string): number {
  return 2 ** (32 - parseNetwork(network).length) - 2
}

/** The network of an address with a prefix length: `10.44.0.0/24` for `10.44.0.7/24`. */
export function networkOf(address: string): string {
  return `${nth(address, 0)}/${parseNetwork(address).length}`
}

/** Whether two networks overlap: then one contains the other. */
export function overlap(a: string, b: string): boolean {
  const shorter = Math.min(parseNetwork(a).length, parseNetwork(b).length)
  const cut = (network: string) => start(`${parseNetwork(network).ip}/${shorter}`)
  return cut(a) === cut(b)
}

function start(network: string): number {
  const { ip, length } = parseNetwork(network)
  const size = 2 ** (32 - length)
  return Math.floor(encodeIP(ip).readUInt32BE() / size) * size
}
