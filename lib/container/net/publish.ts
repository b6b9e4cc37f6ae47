import { closeSync } from 'node:fs'
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

/** A listening socket on the host, and the container's port that it forwards to. */
export interface ListeningSocket {
  fd: number
  port: number
}

/**
 * Opens the host's side of a published port. A socket stays in the network namespace where it was made. So a socket that is
 * opened here and passed to the sandbox lets an ordinary user publish ports too. Throws a usage error if the port is taken.
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
        ? 'is in use'
        : error.code === 'EACCES'
          ? 'is for root only'
          : `cannot be used (${error.code})`
    throw new MinilabError('usage', `port ${address}:${host} ${why}`, 'publish another port: -p 8080:80')
  }
}
