import { certain } from '../../common/certain.ts'
import { codeOf } from '../../common/error-code.ts'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { extname, join } from 'node:path'
import { asTyped } from '../../guide/as-typed.ts'
import { MinilabError } from '../../common/errors.ts'
import { listenOnLoopback, ownNames } from '../../common/loopback.ts'
import { ownFolder } from '../../common/own-folder.ts'
import { STYLE } from '../svg.ts'
import type { Audience } from './audience.ts'
import { page } from './page.ts'

const MOST_CONNECTIONS = 100
const HEADERS_TIMEOUT = 5000 // ms until the headers of a request must be complete

/** Our files; and the style that all drawings share, once, as a file, because the policy below allows no styles in the page. */
const ASSETS: Record<string, () => string | Buffer> = {
  ...Object.fromEntries(
    [
      ...['view.css', 'pictures.css', 'tape.css'],
      ...[
        'view.js',
        'steps.js',
        'tape.js',
        'shown.js',
        'containers.js',
        'card.js',
        'whole.js',
        'ladder.js',
        'elements.js',
      ],
    ].map(name => [name, () => ours(`look/view/${name}`)]),
  ),
  'icon.svg': () => ours('book/assets/icon.svg'),
  'drawing.css': () => STYLE.text,
}
const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}
const ours = (name: string) => readFileSync(join(ownFolder, 'lib', name))

/** Allows only our own files, and no frame around our page: CSP level 3. */
const POLICY = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer', // our address contains the token
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
}

/**
 * Serves the page on the loopback interface, to browsers that have the token.
 *
 * The token stays in the query. A cookie would not be safer: a browser sends the cookies of 127.0.0.1 to every port, so to the
 * servers of this machine's other users. Other servers do not see our address (no-referrer), and EventSource can send the
 * query.
 */
export class ViewServer {
  readonly #token = randomBytes(24).toString('base64url')
  readonly #audience: Audience
  readonly #server = createServer((request, response) => this.#answer(request, response))

  constructor(audience: Audience) {
    this.#audience = audience
    // silent connections must not use up our descriptors, which open pages and our own reading need
    this.#server.maxConnections = MOST_CONNECTIONS
    this.#server.headersTimeout = HEADERS_TIMEOUT
  }

  /** Resolves to the address to open. Throws a usage error if the port cannot be used; 0 means any free port. */
  async listen(port: number): Promise<string> {
    try {
      return `http://${await listenOnLoopback(this.#server, port)}/?token=${this.#token}`
    } catch (error) {
      const code = codeOf(error)
      const why = code === 'EADDRINUSE' ? 'is in use' : code === 'EACCES' ? 'is for root only' : undefined
      if (!why) throw error
      throw new MinilabError(
        'usage',
        `port ${port} ${why}`,
        'choose another, such as --port 7071; --port 0 takes any free port',
      )
    }
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections() // event streams do not end by themselves
    await closed
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    for (const [name, value] of Object.entries(POLICY)) response.setHeader(name, value)
    const { method = '' } = request
    if (method !== 'GET' && method !== 'HEAD')
      return plain(response.setHeader('allow', 'GET, HEAD'), 405, 'This page can only be read.')
    const url = URL.parse(request.url ?? '', 'http://localhost')
    if (!url || !isFromHere(request, ownNames(this.#server)))
      return plain(
        response,
        403,
        `This is for a browser on the same machine, at ${ownNames(this.#server).join(' or ')}.`,
      )
    const token = url.searchParams.get('token') ?? ''
    if (!equal(token, this.#token))
      return plain(response, 403, asTyped('Use the URL that `minilab view` has printed.'))
    const name = url.pathname.slice(1)
    if (name === '') send(response, 'text/html; charset=utf-8', page(this.#token))
    else if (Object.hasOwn(ASSETS, name))
      send(response, certain(TYPES[extname(name)]), certain(ASSETS[name])())
    else if (name === 'events') this.#events(request, response)
    else plain(response, 404, 'There is nothing here.')
  }

  #events(request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (request.method === 'HEAD') return void response.end()
    const leave = this.#audience.enter(response, Number(request.headers['last-event-id'] ?? 0))
    response.on('close', leave)
  }
}

/**
 * Whether a request is meant for us. If another name was made to point to 127.0.0.1 (DNS rebinding), Host has that name; Origin
 * has the page that sends the request: fetch standard. Host's port is not checked, because it differs behind `ssh -L`.
 */
function isFromHere({ headers: { host = '', origin } }: IncomingMessage, names: string[]): boolean {
  return names.includes(host.replace(/:\d{1,5}$/, '')) && (origin ?? `http://${host}`) === `http://${host}`
}

/** Compares hashes: they have the same length, and the time of the comparison reveals nothing. */
function equal(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(one), digest(other))
}

function send(response: ServerResponse, type: string, body: string | Buffer): void {
  response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
  response.end(body)
}

function plain(response: ServerResponse, status: number, line: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
  response.end(`${line}\n`)
}
