import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { Ledger } from '../../container/ledger/ledger.ts'
import { SOCKET } from '../../guide/feed.ts'
import { type FeedEvent, isFeedEvent } from '../../guide/feed-event.ts'
import { makeDir } from '../../image/data-folder.ts'
import { parseJson } from '../../common/json.ts'
import { randomHex } from '../../kernel/process/random.ts'

/** The source of events about one step or lab: each connection is one. */
export type Teller = number

/** An event that a page gets; `broken` if the connection ended during a step. */
export type Told = { teller: Teller } & (Exclude<FeedEvent, { kind: 'container' }> | { kind: 'broken' })

interface Hearing {
  event(teller: Teller, event: FeedEvent): void
  /** its connection has closed */
  gone(teller: Teller): void
}

/** Limits on what we read: a learner's code can send events too, as many as it likes. */
const LIMITS = { tellers: 32, line: 2 ** 20, all: 2 ** 24 } // characters

/**
 * Listens for events of steps and labs that use this data folder; never answers. Resolves to a function that stops and removes
 * the socket. The folder is in the ledger: if we are killed, the next command removes it.
 */
export async function hear(dataFolder: string, hearing: Hearing): Promise<() => Promise<void>> {
  const ledger = new Ledger(dataFolder)
  const folder = join(dataFolder, 'containers', `view-${randomHex(4)}`)
  makeDir(join(dataFolder, 'containers'))
  ledger.add({ kind: 'folder', path: folder })
  mkdirSync(folder, { mode: 0o700 })
  const at = openSync(folder, 'r')
  const sockets = new Set<Socket>()
  let tellers = 0
  const server = createServer(socket => {
    const teller = ++tellers
    sockets.add(socket)
    socket.on('close', () => {
      sockets.delete(socket)
      hearing.gone(teller)
    })
    listen(socket, event => hearing.event(teller, event))
  })
  server.maxConnections = LIMITS.tellers
  // through the folder's descriptor: a path in a sockaddr_un has at most 108 bytes, unix(7)
  server.listen(`/proc/self/fd/${at}/${SOCKET}`)
  await once(server, 'listening')
  chmodSync(folder, 0o700) // changes nothing, but notifies those that watch the parent folder: IN_ATTRIB, inotify(7)
  return async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
    closeSync(at)
    await ledger.settle()
  }
}

/** Reads valid events from an untrusted connection; closes it after anything invalid, or too much. */
function listen(socket: Socket, tell: (event: FeedEvent) => void): void {
  let all = 0
  let rest = ''
  socket.on('error', () => {}) // it ended within a line: `close` follows
  // not node:readline, which also ends a line at U+2028
  socket.setEncoding('utf8').on('data', (text: string) => {
    all += text.length
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    const events = lines.map(line => parseJson(line, isFeedEvent))
    for (const event of events) {
      if (!event) return socket.destroy()
      tell(event)
    }
    if (rest.length > LIMITS.line || all > LIMITS.all) socket.destroy()
  })
}
