import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/** What the Host header may name a server by that listens on the loopback interface; behind `ssh -L` it is the other end's. */
export function ownNames(server: Server): string[] {
  const { family } = server.address() as AddressInfo
  return ['127.0.0.1', 'localhost', ...(family === 'IPv6' ? ['[::1]'] : [])]
}

/**
 * Listens on the loopback interface alone, at its IPv6 address where it has no other. Resolves to `address:port` as a URL has
 * it. Rejects where the port cannot be had (EADDRINUSE, EACCES), or the interface has no address (EADDRNOTAVAIL).
 */
export async function listenOnLoopback(server: Server, port: number): Promise<string> {
  const listen = async (address: string) => {
    server.listen(port, address)
    await once(server, 'listening')
  }
  await listen('127.0.0.1').catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRNOTAVAIL') throw error
    await listen('::1')
  })
  const { address, family, port: got } = server.address() as AddressInfo
  return `${family === 'IPv6' ? `[${address}]` : address}:${got}`
}
