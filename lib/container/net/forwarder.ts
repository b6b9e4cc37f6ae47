import { writeSync } from 'node:fs'
import { constants } from 'node:os'
import { closing } from '../../common/descriptor.ts'
import { errnoNumber } from '../../common/errno.ts'
import { pipe } from '../../kernel/process/pipe.ts'
import { POLLIN } from '../../kernel/process/poll.ts'
import {
  AF_INET,
  CLONE_NEWPID,
  CLONE_PIDFD,
  CLONE_VM,
  SHUT_WR,
  SIGPIPE,
  SOCK_STREAM,
  SPLICE_F_NONBLOCK,
} from '../../kernel/syscalls/constants.ts'
import { now } from '../../kernel/syscalls/now.ts'
import { type Endpoint, SOCKADDR_IN, sockaddr } from '../../kernel/syscalls/sockaddr.ts'
import { closeTape, startStandalone } from '../../kernel/tape/standalone.ts'
import { Label, Tape } from '../../kernel/tape/tape.ts'
import type { Ledger } from '../ledger/ledger.ts'
import type { ListeningSocket } from './publish.ts'

const { SIGCHLD } = constants.signals
const MASK_SIZE = 8
const EAGAIN = -BigInt(errnoNumber('EAGAIN'))

/**
 * Its descriptors: a pidfd of the container's first process; the socket that listens on the host; and a pipe with a byte for each process
 * that may still be made for connections.
 */
const [CONTAINER, LISTENER, FREE] = [0, 1, { read: 2, write: 3 }]

/** What it opens gets the lowest free number, so these are always the same: both sides of a connection, and the ends of a pipe. */
const [CLIENT, SERVER, PIPE] = [4, 5, { read: 6, write: 7 }]

/** In process 1, which has no connections: a pidfd of the process that accepts them. clone(2), CLONE_PIDFD */
const ACCEPTING = 4

/** How many connections a port may have at once. Each is two processes of the host, and no limit of the container counts them. */
export const MAX_CONNECTIONS = 512

/** As much as a pipe holds: pipe(7). */
const CHUNK = 65536

/**
 * The forwarder of a published port, as docker-proxy: it connects each client of a socket that listens on the host with the container. It
 * is nothing but a tape. Its processes are in their own pid namespace: process 1, one that accepts connections, and two for each
 * connection, one for each direction. At most MAX_CONNECTIONS are open; more wait until one has ended.
 *
 * They share their memory, where the tape lies, but each has its own descriptors. So no result of a call may become an argument.
 */
export function forwarderTape(to: Endpoint): Tape {
  const tape = new Tape()
  const [wait, accept, requests] = [new Label('wait'), new Label('accept'), new Label('requests')]
  const [unused, refused] = [new Label('unused'), new Label('refused')]
  closeTape(tape)
  tape.note('the kernel reaps its children, and a write to a broken connection only fails')
  for (const signal of [SIGCHLD, SIGPIPE]) tape.rt_sigaction(signal, 'SIG_IGN', null, MASK_SIZE)
  tape.note(
    `this process goes to wait, with a pidfd of its child, ${ACCEPTING}; the child goes on here, and accepts connections`,
  )
  tape.branch({ max: 0n, over: wait }).clone(CLONE_VM + CLONE_PIDFD + SIGCHLD, 0, new Uint8Array(4), 0, 0)

  tape.mark(accept)
  tape.note('the connection before belongs to the child that was made for it')
  tape.attempt.close(CLIENT)
  tape.note(`${LISTENER} listens on the host; the connection gets the lowest free number: ${CLIENT}`)
  tape.branch({ min: 0n, under: accept }).accept4(LISTENER, null, null, 0)
  tape.note(
    `a byte for each of its two processes from the pipe ${FREE.read}, ${FREE.write}: if there is none, until a connection has ended`,
  )
  tape.readByte(FREE.read)
  tape.readByte(FREE.read)
  tape.note('a child for this connection; this process accepts the next one')
  fork({ min: 0n, under: unused, max: 0n, over: accept })
  tape.note(
    `${SERVER}: the connection to the container; if it is refused, the child ends, and ${CLIENT} is closed`,
  )
  tape.branch({ min: 0n, under: refused }).socket(AF_INET, SOCK_STREAM, 0)
  tape.branch({ min: 0n, under: refused }).connect(SERVER, sockaddr(to), SOCKADDR_IN)
  tape.note("a process for each direction: the child's child carries the answers")
  fork({ min: 0n, under: refused, max: 0n, over: requests })
  carry(SERVER, CLIENT, ['answer', 'answered'])
  tape.mark(requests)
  carry(CLIENT, SERVER, ['request', 'requested'])

  tape.mark(refused)
  tape.note('there was no connection: both bytes go back')
  tape.attempt.write(FREE.write, Buffer.from('..'), 2)
  tape.exit_group(0)
  tape.mark(unused)
  tape.note('there was no child')
  tape.thenGoTo(accept).write(FREE.write, Buffer.from('..'), 2)

  tape.mark(wait)
  tape.note(
    `until the container has ended, or the child: ${CONTAINER} is a pidfd of the container's first process; the end of process 1 of a pid namespace ends all others in it`,
  )
  const pollfds = new Uint8Array(Int32Array.of(CONTAINER, POLLIN, ACCEPTING, POLLIN).buffer)
  tape.branch({ min: 1n, under: wait }).ppoll(pollfds, 2, 0, 0, 0)
  tape.exit_group(0)
  return tape

  /** The child goes on with the next call. */
  function fork(limits: Parameters<Tape['branch']>[0]): void {
    tape.branch(limits).clone(CLONE_VM + SIGCHLD, 0, null, 0, 0)
  }

  /** Moves one direction of a connection by a pipe: splice(2) takes no two sockets. It empties the pipe before it reads more. */
  function carry(from: number, to: number, names: [string, string]): void {
    const [again, ended] = names.map(name => new Label(name)) as [Label, Label]
    tape.note(`a pipe, ${PIPE.read} and ${PIPE.write}: splice moves bytes into a pipe, or out of it`)
    tape.branch({ min: 0n, under: ended }).pipe2(new Uint8Array(8), 0)
    tape.mark(again)
    tape.note('until the pipe is empty: EAGAIN')
    tape
      .branch({ min: 1n, under: ended, max: 0n, over: again, allowed: [EAGAIN] })
      .splice(PIPE.read, null, to, null, CHUNK, SPLICE_F_NONBLOCK)
    tape.note('until end of file: 0')
    tape
      .branch({ min: 1n, under: ended, max: 0n, over: again })
      .splice(from, null, PIPE.write, null, CHUNK, 0)
    tape.mark(ended)
    tape.note('the other side reads end of file, too; the other direction may go on')
    tape.attempt.shutdown(to, SHUT_WR)
    tape.attempt.write(FREE.write, Buffer.from('.'), 1)
    tape.exit_group(0)
  }
}

/**
 * Starts the forwarders of a container that waits at its gate: one for each socket, which it takes over. They end with the process of
 * this pid, and the ledger names them.
 */
export async function startForwarders(
  sockets: readonly ListeningSocket[],
  address: string,
  pid: number,
  ledger: Ledger,
): Promise<{ pid: number; started: number }[]> {
  using container = closing(now.pidfd_open(pid, 0))
  const forwarders = []
  for (const { fd, port } of sockets) {
    using listener = closing(fd)
    const { read, write } = pipe()
    using free = closing(read)
    using freed = closing(write)
    writeSync(freed.fd, Buffer.alloc(2 * MAX_CONNECTIONS, '.'))
    const tape = forwarderTape({ address, port })
    const its = [container.fd, listener.fd, free.fd, freed.fd]
    const child = await startStandalone(tape, 'minilab-forwarder', its, CLONE_NEWPID)
    const { pid, started } = child
    ledger.add({ kind: 'process', pid, started })
    forwarders.push({ pid, started })
  }
  return forwarders
}
