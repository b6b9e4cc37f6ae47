import { closeSync, fstatSync, readFileSync } from 'node:fs'
import { Cgroup, cgroupOf } from '../kernel/cgroup/cgroup.ts'
import type { Attended, Exit } from '../kernel/process/child.ts'
import {
  O_CLOEXEC,
  O_NOCTTY,
  O_RDWR,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
} from '../kernel/syscalls/constants.ts'
import { codeOf } from '../common/error-code.ts'
import { Interrupted, MinilabError } from '../common/errors.ts'
import { keepGoing } from '../kernel/process/keep-going.ts'
import { int32s } from '../kernel/syscalls/now.ts'
import { launchGated } from '../kernel/tape/launch-gated.ts'
import { isGone, processExists } from '../kernel/process/procfs.ts'
import { ended } from '../kernel/process/signal.ts'
import { openInside } from '../kernel/mount/open-inside.ts'
import { Connection } from './streams/connection.ts'
import { recordJoin } from './join.ts'
import { Keeper } from './keeper.ts'
import { Ledger } from './ledger/ledger.ts'
import { copySize, openSlave } from './streams/our-terminal.ts'
import { startError } from './start-error.ts'
import { refuseElsewhere } from './state/elsewhere.ts'
import { running } from './state/state.ts'
import type { State } from './state/state-shape.ts'
import type { ProcessSpec } from './spec.ts'
import { dataFolder } from '../image/data-folder.ts'

/** How long a container's processes may take to end when its first process has ended: ms. */
const END_LIMIT = 1000
/** The same, when those that joined it are reaped. */
const KILLED_LIMIT = 100

export interface ExecOptions {
  interactive: boolean
  terminal: boolean
}

const hasEnded = ({ name }: State) =>
  new MinilabError('usage', `${name} has ended`, 'minilab ps -a shows how')

/** What the kernel has said, itself or as the cause of an error of ours. */
const refusal = (error: unknown) => codeOf(error) ?? codeOf(error instanceof Error && error.cause)

/** Does something with a running container, with a pidfd for it. If the reason of a refusal is that the container has ended, it says so. */
export async function whileRunning<T>(state: State, act: (pidfd: number) => Promise<T>): Promise<T> {
  const pidfd = running(state)
  if (pidfd === undefined) {
    refuseElsewhere(state)
    throw new MinilabError(
      'usage',
      `${state.name} is no longer running`,
      `start another: minilab run ${state.image}`,
    )
  }
  try {
    return await act(pidfd)
  } catch (error) {
    // pid_namespaces(7): when the first process ends, it first kills those that joined, and only then is it gone
    if (refusal(error) && (await ended(pidfd, END_LIMIT))) throw hasEnded(state)
    // pthread_exit(3): its other threads may go on. The namespaces are looked up by the first one: kernel/nsproxy.c
    if (refusal(error) === 'ESRCH')
      throw new MinilabError(
        'usage',
        `the first thread of ${state.name} has ended, so nothing can join its namespaces`,
        `minilab rm -f ${state.name} ends its other threads`,
      )
    throw error
  } finally {
    closeSync(pidfd)
  }
}

/**
 * Starts another program in a running container. The first child joins the namespaces. Only children of a process that has joined
 * a pid namespace are in it, so the first child makes a second one, which becomes the program. The first becomes its keeper.
 * Throws a usage error with the status 126 or 127 if the program cannot be started.
 */
export async function execIn(
  state: State,
  pidfd: number,
  process_: ProcessSpec,
  options: ExecOptions,
): Promise<Exit> {
  using connection = new Connection({ ...options, passesIgnored: false })
  using keeper = new Keeper()
  const pair = options.terminal ? await openTerminal(state.pid) : undefined
  const { tape, gate, pid } = recordJoin({
    id: state.id,
    spec: { ...state.spec, process: process_ },
    rootfs: '/',
    ledger: new Ledger(dataFolder()),
    diesWithUs: true,
    first: { pid: state.pid, pidfd },
    stdio: pair ? [pair.slave, pair.slave, pair.slave] : connection.stdio,
    terminal: pair !== undefined,
    keeper,
  })

  let second = () => 0
  const going = keepGoing(() => second())
  connection.starting = () => second()
  const cgroup = ownCgroup(state)
  let child: Attended | undefined
  const {
    child: first,
    tape: replayed,
    failed,
  } = await launchGated(tape, gate, 0, [
    launched => void (second = () => launched.pidIn(pid)),
    (_, first) => {
      child = keeper.kept(second(), first)
      // what runs in the container counts towards the container's limits
      unlessEnded(child, ({ pid }) => cgroup.join(pid))
    },
  ]).finally(() => going[Symbol.dispose]()) // from here on it is a program, which may stay stopped for any time
  const [made = 0] = int32s(pid)
  if (made) child ??= keeper.kept(made, first) // killed on its way to the gate
  if (failed) {
    const how = await child?.exit
    if (connection.gaveUpAt) throw new Interrupted(connection.gaveUpAt)
    if (going.gaveUp)
      throw new MinilabError(
        'machine',
        `${state.name} stops every process that joins it`,
        `see what runs in it: minilab look ${state.name}`,
      )
    // a process in the container has killed it; or the kernel, because the container ends
    if (failed.code === 'EINTR' && how?.signal && !(await ended(pidfd, KILLED_LIMIT))) return how
    throw startError(process_, replayed, failed)
  }
  if (!child) throw hasEnded(state)
  const exit = await connection.attend(child, pair)
  // it became a program just when we had stopped waiting for it, and killed it
  if (connection.gaveUpAt && exit.signal === 'SIGKILL') throw new Interrupted(connection.gaveUpAt)
  await connection.finish()
  return exit
}

/** Does something with a process, unless it was killed: a process in the container may do that. */
function unlessEnded(child: Attended, act: (child: Attended) => void): void {
  try {
    if (child.kill(0)) act(child)
  } catch (error) {
    if (!isGone(error) || processExists(child.pid)) throw error
  }
}

/**
 * The container's own cgroup, in each hierarchy; without directories if it has none. Throws a MinilabError (machine) if they cannot be
 * seen here: another program would run outside of the container's limits.
 */
function ownCgroup({ id, name, pid }: State): Cgroup {
  const places = readFileSync(`/proc/${pid}/cgroup`, 'utf8').split('\n')
  const folders = cgroupOf(pid).folders.filter(({ path }) => path.includes(id))
  // cgroup_namespaces(7): what is above the root of our cgroup namespace begins with /..
  const hidden = places.filter(line => line.includes(id) || line.includes(':/../')).length - folders.length
  if (hidden <= 0) return new Cgroup(folders)
  throw new MinilabError(
    'machine',
    `the cgroup of ${name} is not visible here, so its limits would not hold for another program`,
    "use exec where the machine's cgroups are mounted",
  )
}

/** What openat2(2) reports where a volume or a link lies over the container's devpts. */
const ABSENT = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO']
const noMultiplexer = (cause?: unknown) =>
  new MinilabError('usage', '/dev/pts/ptmx of the container is not a terminal multiplexer', 'leave out -t', {
    cause,
  })

/**
 * A new terminal from the container's own devpts, opened from outside. A process inside may have put a symbolic link or
 * another file in its place: links are not followed, and the opened file must be the pseudo-terminal multiplexer, 5:2.
 */
export async function openTerminal(
  pid: number,
  size?: ProcessSpec['consoleSize'],
): Promise<{ master: number; slave: number }> {
  const how = { flags: O_RDWR | O_NOCTTY | O_CLOEXEC, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS }
  const master = await openInside(pid, '/dev/pts/ptmx', how).catch((error: unknown) => {
    throw ABSENT.includes(codeOf(error) ?? '') ? noMultiplexer(error) : error
  })
  try {
    const { rdev } = fstatSync(master)
    if (rdev !== ((5 << 8) | 2)) throw noMultiplexer()
    copySize(master, size)
    return { master, slave: openSlave(master) }
  } catch (error) {
    closeSync(master)
    throw error
  }
}
