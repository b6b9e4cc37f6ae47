import { closeSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import {
  AF_INET,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../kernel/syscalls/constants.ts'
import { MinilabError } from '../../common/errors.ts'
import { now } from '../../kernel/syscalls/now.ts'
import { SOCKADDR_IN, sockaddr } from '../../kernel/syscalls/sockaddr.ts'
import { SyscallError } from '../../kernel/syscalls/syscall-error.ts'
import type { Port } from '../run/options.ts'

/** A listening socket on the host, and the container's port that it stands for. */
export interface ListeningSocket {
  fd: number
  port: number
}

/**
 * Opens the host's side of a published port. A socket stays in the network namespace where it was made, so one that is
 * opened here and handed on to the sandbox lets an ordinary user publish ports too. Throws a usage error where it is taken.
 */
export function listen({ address, host, container }: Port): ListeningSocket {
  const fd = now.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
  try {
    now.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, new Uint8Array(Int32Array.of(1).buffer), 4)
    now.bind(fd, sockaddr({ address, port: host }), SOCKADDR_IN)
    now.listen(fd, 128)
    return { fd, port: container }
  } catch (error) {
    closeSync(fd)
    if (!(error instanceof SyscallError)) throw error
    const why =
      error.code === 'EADDRINUSE'
        ? 'is taken'
        : error.code === 'EACCES'
          ? 'is for root only'
          : `cannot be had (${error.code})`
    throw new MinilabError('usage', `port ${address}:${host} ${why}`, 'publish another one: -p 8080:80')
  }
}

/** Passes on every connection to the container: what Docker's userland proxy does. Takes over the listening socket; ends with all its connections. */
export function forward({ fd, port }: ListeningSocket, address: string): Disposable {
  const sockets = new Set<Socket>()
  const keep = (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  }
  const server = createServer({ allowHalfOpen: true }, client => {
    const target = connect({ port, host: address, allowHalfOpen: true })
    for (const socket of [client, target]) keep(socket)
    // a side that breaks off takes the other with it; who connected sees just that
    target.on('error', () => client.destroy())
    client.on('error', () => target.destroy())
    client.pipe(target).pipe(client)
  })
  server.listen({ fd })
  return {
    [Symbol.dispose]() {
      server.close()
      for (const socket of sockets) socket.destroy() // a client that says nothing more would keep us for ever
    },
  }
}
