import { closeSync } from 'node:fs'
import {
  AF_INET,
  SO_KEEPALIVE,
  SO_REUSEADDR,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  SOL_SOCKET,
  SOL_TCP,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
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

/** Why a port cannot be opened, by errno, and what to do: bind(2), ip(7). */
const REFUSED: Record<string, [why: string, remedy?: string]> = {
  EADDRINUSE: ['is in use'],
  EACCES: ['is for root only'],
  EADDRNOTAVAIL: [
    'cannot be used: this machine does not have the address',
    'ip -br address lists those that it has',
  ],
}

/**
 * The accepted sockets inherit these: tcp(7). Keepalive, as docker-proxy has it, ends a connection whose client has vanished without a
 * word, such as a laptop that has left the network. Otherwise such connections would stay for ever, and use up those that a port may have.
 */
const OPTIONS: [level: number, option: number, value: number][] = [
  [SOL_SOCKET, SO_REUSEADDR, 1],
  [SOL_SOCKET, SO_KEEPALIVE, 1],
  [SOL_TCP, TCP_KEEPIDLE, 15], // seconds
  [SOL_TCP, TCP_KEEPINTVL, 15],
]

/**
 * Opens the host's side of a published port. A socket stays in the network namespace where it was made. So a socket that is
 * opened here and passed to the sandbox lets an ordinary user publish ports too. Throws a usage error if the port is taken.
 */
export function listen({ address, host, container }: Port): ListeningSocket {
  const fd = now.socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
  try {
    for (const [level, option, value] of OPTIONS)
      now.setsockopt(fd, level, option, new Uint8Array(Int32Array.of(value).buffer), 4)
    now.bind(fd, sockaddr({ address, port: host }), SOCKADDR_IN)
    now.listen(fd, 128)
    return { fd, port: container }
  } catch (error) {
    closeSync(fd)
    if (!(error instanceof SyscallError)) throw error
    const [why, remedy = 'publish another port: -p 8080:80'] = REFUSED[error.code] ?? [
      `cannot be used (${error.code})`,
    ]
    throw new MinilabError('usage', `port ${address}:${host} ${why}`, remedy)
  }
}
