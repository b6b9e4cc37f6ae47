import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { runOnBench } from '../container/bench.ts'
import { listen, type Listener } from '../container/publish.ts'
import { runContainer, type RunRequest } from '../container/run.ts'
import { keptCapabilities, networkMode, port, resources, volume } from '../container/run-options.ts'
import { dataFolder } from '../image/data-folder.ts'
import { shellStatus } from '../kernel/child.ts'
import { UsageError } from '../kernel/errors.ts'
import { EXIT } from './exit.ts'
import type { RunFlags } from './run.ts'

/** What one process of ours tells the next that continues its work: on the bench, or in the background. */
interface Handed {
  /** sockets that listen on the host already */
  listeners: Listener[]
  /** where the id goes once the program runs; closed without a word if it never does */
  notify?: number
  /** the file that takes its output */
  log?: string
}

/** Checks everything that was asked for, and then runs it: here, on the bench, or in the background. */
export async function run(image: string, command: string[], flags: RunFlags): Promise<void> {
  const told = process.env.MINILAB_HANDED
  delete process.env.MINILAB_HANDED
  const request = read(image, command, flags)
  const handed: Handed = told
    ? (JSON.parse(told) as Handed)
    : { listeners: (flags.publish ?? []).map(text => listen(port(text))) }
  if (flags.detach && handed.notify === undefined) return detach(handed)
  if (request.rootless && request.network === 'bridge' && process.env.MINILAB_BENCH === undefined) {
    process.exitCode = await onBench(handed)
    return
  }
  const { notify, log, listeners } = handed
  if (log !== undefined) request.log = log
  if (notify !== undefined) request.started = id => (writeSync(notify, id), closeSync(notify))
  process.exitCode = await runContainer({ ...request, listeners })
}

function read(image: string, command: string[], flags: RunFlags): RunRequest {
  const network = networkMode(flags.network)
  if (flags.publish?.length && network !== 'bridge')
    throw new UsageError(`-p needs a bridge, and the network is ${network}`, 'leave out --network')
  if (flags.tty && flags.detach)
    throw new UsageError('-t needs a terminal and -d leaves it', 'choose one of them')
  if (flags.tty && flags.interactive && !process.stdin.isTTY)
    throw new UsageError('-it needs a terminal, and stdin is none', 'leave out -t')
  return {
    image,
    command,
    rootless: flags.rootless ?? false,
    remove: flags.rm ?? false,
    interactive: flags.interactive ?? false,
    terminal: flags.tty ?? false,
    resources: resources(flags),
    env: [...(flags.tty ? [`TERM=${process.env.TERM ?? 'xterm'}`] : []), ...(flags.env ?? [])],
    volumes: (flags.volume ?? []).map(volume),
    network,
    listeners: [],
    ports: (flags.publish ?? []).map(text => (port(text), text)),
    readOnly: flags.readOnly ?? false,
    capabilities: keptCapabilities(flags.capAdd, flags.capDrop),
    ...(flags.name !== undefined && { name: flags.name }),
    ...(flags.workdir !== undefined && { workdir: flags.workdir }),
    ...(flags.user !== undefined && { user: flags.user }),
    ...(flags.hostname !== undefined && { hostname: flags.hostname }),
  }
}

/** The same command line by ourselves again, in a user and network namespace; listening sockets go along. */
async function onBench(handed: Handed): Promise<number> {
  const keep = [
    ...handed.listeners.map(({ fd }) => fd),
    ...(handed.notify === undefined ? [] : [handed.notify]),
  ]
  const env = { ...process.env, MINILAB_DATA: dataFolder(), MINILAB_HANDED: JSON.stringify(handed) }
  const ended = runOnBench([process.execPath, ...process.argv.slice(1)], env, keep)
  return shellStatus(await ended)
}

/**
 * `-d`: ourselves once more, in a session of its own, with a log file in place of the terminal. It stays with the
 * container until that ends. We wait for the id; if the pipe is closed without one, its log says what is wrong.
 */
async function detach({ listeners }: Handed): Promise<void> {
  const log = join(dataFolder(), 'logs', `${process.pid}-${Date.now()}.log`)
  mkdirSync(dirname(log), { recursive: true })
  const output = openSync(log, 'a', 0o640)
  // descriptor 3 is the pipe by which it answers; the listening sockets follow
  const handed: Handed = { notify: 3, log, listeners: listeners.map(({ port }, i) => ({ port, fd: 4 + i })) }
  const child = spawn(process.execPath, process.argv.slice(1), {
    detached: true,
    stdio: ['ignore', output, output, 'pipe', ...listeners.map(({ fd }) => fd)],
    env: { ...process.env, MINILAB_HANDED: JSON.stringify(handed) },
  })
  const exited = once(child, 'exit')
  closeSync(output)
  const id = await text(child.stdio[3] as Readable)
  if (id) {
    console.log(id)
    child.unref()
    return
  }
  const [status] = (await exited) as [number | null]
  process.stderr.write(readFileSync(log, 'utf8'))
  rmSync(log)
  process.exitCode = status ?? EXIT.failed
}
