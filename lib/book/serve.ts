import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { extname } from 'node:path'
import { listenOnLoopback, ownNames } from '../common/loopback.ts'
import { POLICY } from './frame.ts'
import type { Files } from './site.ts'

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
}

/**
 * Serves files by their path, to browsers on this machine only; makes them at the first request. `port` 0 means any free port.
 * Rejects if the port cannot be used: EADDRINUSE, EACCES.
 */
export async function serve(
  make: () => Files,
  port: number,
): Promise<{ url: string; close(): Promise<void> }> {
  let files: Files | undefined
  const server = createServer((request, response) => {
    const answer = (status: number, body: string | Buffer, type = 'text/plain; charset=utf-8', more = {}) => {
      response.writeHead(status, {
        ...HEADERS,
        'content-type': type,
        'content-length': Buffer.byteLength(body),
        ...more,
      })
      response.end(body) // for HEAD, node:http omits the body
    }
    const { port } = server.address() as AddressInfo
    // DNS rebinding: a page elsewhere may point its own name to 127.0.0.1; then the browser sends that name
    if (!ownNames(server).some(name => request.headers.host === `${name}:${port}`))
      return answer(403, 'This server is for this machine only.\n')
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return answer(405, 'Only GET and HEAD.\n', undefined, { allow: 'GET, HEAD' })
    const path = (request.url ?? '').replace(/[?#].*$/s, '').slice(1) || 'index.html'
    files ??= make()
    const file = files.get(path)
    if (file === undefined) return answer(404, 'The book has no such page.\n')
    answer(200, file, TYPES[extname(path)])
  })
  return { url: `http://${await listenOnLoopback(server, port)}/`, close: () => closed(server) }
}

/** Closes the server, and the connections that browsers keep open for later requests. */
async function closed(server: Server): Promise<void> {
  server.close()
  server.closeAllConnections()
  await once(server, 'close')
}
