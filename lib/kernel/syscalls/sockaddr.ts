import { AF_INET } from './constants.ts'
import { decodeIP, encodeIP } from '../netlink/ip-address.ts'

/** The size of struct sockaddr_in, ip(7): family, port, address, padding. */
export const SOCKADDR_IN = 16

/** An IPv4 endpoint: `10.44.0.2` and a port. */
export interface Endpoint {
  address: string
  port: number
}

/** struct sockaddr_in: the port and the address are in network order. */
export function sockaddr({ address, port }: Endpoint): Buffer {
  const bytes = Buffer.alloc(SOCKADDR_IN)
  bytes.writeUInt16LE(AF_INET)
  bytes.writeUInt16BE(port, 2)
  encodeIP(address).copy(bytes, 4)
  return bytes
}

/** The IPv4 endpoint in a struct sockaddr_in. */
export function endpoint(bytes: Uint8Array): Endpoint {
  const buffer = Buffer.from(bytes)
  return { address: decodeIP(buffer.subarray(4, 8)), port: buffer.readUInt16BE(2) }
}

/** struct timeval, as SO_RCVTIMEO and SO_SNDTIMEO take it: socket(7). */
export function timeval(seconds: number): Buffer {
  const bytes = Buffer.alloc(16)
  bytes.writeBigInt64LE(BigInt(Math.trunc(seconds)))
  bytes.writeBigInt64LE(BigInt(Math.round((seconds % 1) * 1e6)), 8)
  return bytes
}
