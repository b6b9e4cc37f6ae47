import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/** The Host headers that a server on the loopback interface accepts. Behind `ssh -L` the browser sends the name of the other end. */
export function ownNames(server: Server): string[] {
  const { family } = server.address() as AddressInfo
  return ['127.0.0.1', 'localhost', ...(family === 'IPv6' ? ['[::1]'] : [])]
}

/**
 * Listens on the loopback interface only, on IPv4, or on IPv6 if there is no IPv4 address. Resolves to `address:port` as in a
 * URL. Rejects if the port is taken or forbidden (EADDRINUSE, EACCES), or the interface has no address (EADDRNOTAVAIL).
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
