import { closeSync } from 'node:fs'
import { network } from '../../../container/parts/network.ts'
import { openRtnetlinkIn } from '../../../kernel/netlink/rtnetlink.ts'
import {
  AF_INET,
  SO_SNDTIMEO,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../kernel/syscalls/constants.ts'
import { now } from '../../../kernel/syscalls/now.ts'
import { type Endpoint, endpoint, sockaddr, SOCKADDR_IN, timeval } from '../../../kernel/syscalls/sockaddr.ts'
import { SyscallError } from '../../../kernel/syscalls/syscall-error.ts'
import { Tape } from '../../../kernel/tape/tape.ts'
import { play, visit } from '../../../kernel/tape/visit.ts'
import { type Attack, gotThrough, stopped } from '../attack.ts'
import { printedCall, telling } from '../printed-call.ts'

const PORT = 4000
const CONNECT_TIMEOUT = 1 // seconds until connect(2) gives up. On one machine an answer takes microseconds

function connectTo(tape: Tape, to: Endpoint): void {
  const socket = tape.attempt.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
  const timeout = timeval(CONNECT_TIMEOUT)
  tape.attempt.setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, timeout, timeout.length)
  tape.attempt.connect(socket, sockaddr(to), SOCKADDR_IN)
}

export const neighbour: Attack = {
  id: 'neighbour',
  title: 'reach another container',
  tries:
    'A second container of the same kind listens on a TCP port. The first tries to connect to its address: to 127.0.0.1, as long as it has no other.',
  async act(target) {
    const other = await target.start()
    const to = { address: other.container.cable?.address ?? '127.0.0.1', port: PORT + target.number }
    const opened = await visit(other.pid, ['user', 'net'], tape => {
      const socket = tape.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)
      tape.bind(socket, sockaddr({ ...to, address: '0.0.0.0' }), SOCKADDR_IN)
      tape.listen(socket, 8)
    })
    const listener = opened.find(({ call }) => call === 'socket')?.result ?? -1
    try {
      const { calls, box } = await target.make(tape => connectTo(tape, to))
      await box.end()
      const came = whoCame(listener)
      const call = printedCall(telling(calls, 'connect'))
      if (came) return gotThrough(`${call}; its listener was called from ${came.address}`)
      // the same connection from the host shows that the listener works
      const fromHost = new Tape()
      connectTo(fromHost, to)
      if (target.has(network)) await play(fromHost)
      const control = target.has(network) ? whoCame(listener) : undefined
      if (target.has(network) && !control)
        throw new Error(`not even the host reaches ${to.address}:${to.port}`)
      const others = control
        ? `, and only ${control.address}, the host, reaches it`
        : `: ${await links(other.pid)}`
      return stopped(`${call}; no one connected to its listener${others}`)
    } finally {
      closeSync(listener)
      await other.end()
    }
  },
}

/** The address of whoever connected to a listening socket; undefined if nothing did: accept4(2), EAGAIN. */
function whoCame(listener: number): Endpoint | undefined {
  const from = new Uint8Array(SOCKADDR_IN)
  const length = new Uint8Array(new Uint32Array([SOCKADDR_IN]).buffer)
  try {
    closeSync(now.accept4(listener, from, length, SOCK_CLOEXEC))
    return endpoint(from)
  } catch (error) {
    if (error instanceof SyscallError && error.code === 'EAGAIN') return undefined
    throw error
  }
}

/** The links of a container, by which it could reach others. */
async function links(pid: number): Promise<string> {
  using rtnetlink = await openRtnetlinkIn(pid)
  return rtnetlink
    .links()
    .map(({ name, up }) => `its ${name} is ${up ? 'up' : 'down'}`)
    .join(', ')
}
