import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'

/** How the Host header names this machine: by what `listenOnLoopback` returns, or by its name. */
export const OWN_NAMES = ['127.0.0.1', '[::1]', 'localhost']

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
