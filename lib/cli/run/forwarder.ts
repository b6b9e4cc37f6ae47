import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { certain } from '../../common/certain.ts'
import { ourselves } from '../../common/ourselves.ts'
import { closing } from '../../common/descriptor.ts'
import { forward, type ListeningSocket } from '../../container/net/publish.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { Handover } from '../../kernel/process/handed.ts'
import { startTime } from '../../kernel/process/procfs.ts'
import { ended, findProcess } from '../../kernel/process/signal.ts'
import { EXIT } from '../exit.ts'
import { RUN } from './handed.ts'

/** Where the connections go: an address, as long as a process lives. */
interface Target {
  address: string
  pid: number
}

/** The descriptor by which it is told; the listening sockets follow. */
const HANDED = 3

/** Starts a process of ours that forwards published ports, like Docker's userland proxy; it ends when the container ends. */
export async function startForwarder(
  sockets: readonly ListeningSocket[],
  target: Target,
): Promise<{ pid: number; started: number }> {
  const listeningSockets = sockets.map(({ port }, i) => ({ port, fd: HANDED + 1 + i }))
  using handed = new Handover(RUN.tell({ listeningSockets, forward: target }))
  const [program, ...args] = ourselves()
  // not with execa: the process outlives us, and inherits descriptors
  const child = spawn(program, args, {
    cwd: '/',
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', handed.fd, ...sockets.map(({ fd }) => fd)],
    env: { ...process.env, MINILAB_DATA: dataFolder(), ...handed.env(HANDED) },
  })
  await once(child, 'spawn')
  child.unref()
  const pid = certain(child.pid)
  return { pid, started: startTime(pid) }
}

/** Forwards connections until the container has ended. Resolves to the exit status. */
export async function forwardPorts(
  sockets: readonly ListeningSocket[],
  { address, pid }: Target,
): Promise<number> {
  const pidfd = findProcess(pid)
  if (pidfd === undefined) return EXIT.ok
  using _ = closing(pidfd)
  using servers = new DisposableStack()
  for (const socket of sockets) servers.use(forward(socket, address))
  await ended(pidfd)
  return EXIT.ok
}
