import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Interrupted, MinilabError } from '../../common/errors.ts'
import { dataFolder, followDataFolder } from '../../image/data-folder.ts'
import { findImage, type RootSource } from '../../image/store.ts'
import { removeTree } from '../../image/tree.ts'
import { Cgroup } from '../../kernel/cgroup/cgroup.ts'
import { planCgroup } from '../../kernel/cgroup/make-cgroup.ts'
import { type Exit, shellStatus } from '../../kernel/process/child.ts'
import { bootId, startTime } from '../../kernel/process/procfs.ts'
import { recover } from '../ledger/ledger.ts'
import { type Container, isPart, type Part, type Plan } from '../part.ts'
import { hardening } from '../parts/hardening.ts'
import { layers } from '../parts/layers.ts'
import { limits } from '../parts/limits.ts'
import { namespaces } from '../parts/namespaces.ts'
import { network } from '../parts/network.ts'
import { program, workdir } from '../parts/process.ts'
import { root } from '../parts/root.ts'
import { terminal } from '../parts/terminal.ts'
import { etcFiles } from '../rootfs/etc-files.ts'
import { type Started, startParts } from '../start.ts'
import { holdName } from '../state/names.ts'
import { commitState, containerFolder, prepareState, states, writeState } from '../state/state.ts'
import { Connection } from '../streams/connection.ts'
import { openSlave } from '../streams/our-terminal.ts'
import { streams } from '../streams/streams.ts'
import { planRun, type RunRequest, type RunPlan } from './plan.ts'
import { randomHex } from '../../kernel/process/random.ts'

/** The parts of all seven chapters, and what does not fit into a chapter, in the order in which the child applies them. */
export const PARTS: readonly Part[] = [
  namespaces,
  layers,
  root,
  limits,
  network,
  terminal,
  streams,
  workdir,
  hardening,
  program,
]

/**
 * Runs a container to its end, with our parts or others; resolves to its exit status as a shell gives it. If it fails, nothing
 * is left behind, except what a `keeper` undoes.
 */
export async function runContainer(request: RunRequest, all = PARTS): Promise<number> {
  if (!request.keeper) await recover(dataFolder(), [], request.notTakenBack)
  const source = await findImage(request.image)
  const id = randomHex(6)
  using connection = new Connection(request)
  const plan = planRun(request, source, id, connection.stdio)
  try {
    noteFiles(request, source, plan)
    const started = await start(request, source, plan, all, [startOf(connection)]).catch((error: unknown) => {
      throw connection.gaveUpAt ? new Interrupted(connection.gaveUpAt) : error
    })
    const exit = await attend(started, connection)
    const status = shellStatus(exit)
    followDataFolder(() => plan.ledger.place)
    recordExit(id, status)
    // killed while its execve was waiting: for us it looks like a program that was killed
    if (connection.gaveUpAt && exit.signal === 'SIGKILL') throw new Interrupted(connection.gaveUpAt)
    await connection.finish()
    return status
  } finally {
    if (!request.keeper) await plan.ledger.settle().catch(request.notTakenBack)
  }
}

/** Starts it, and records what it is. A container that never ran leaves nothing behind. */
export async function start(
  request: RunRequest,
  source: RootSource,
  plan: RunPlan,
  all: readonly Part[] = PARTS,
  more: readonly Part[] = [],
): Promise<Started> {
  const { id } = plan
  let started: Started | undefined
  try {
    using held = holdName(request.name)
    using init = request.init ? new (await import('../init.ts')).Init() : undefined
    const parts = [
      ...partsFor(request, plan, all).map(part => (init && part === program ? init.part : part)),
      etcFiles(containerFolder(id)),
      remembered(request, source, held.name, plan.hasOwnHome),
      ...more,
    ]
    started = await startParts(parts, { ...plan, ...(init && { init }) })
    commitState(id)
    return started
  } catch (error) {
    started?.child.kill('SIGKILL')
    await started?.child.exit
    // without state.json the next command removes the folder, which the ledger names
    if (request.keeper) rmSync(join(containerFolder(id), 'state.json'), { force: true })
    else removeTree(containerFolder(id))
    throw error
  }
}

/** Tells the connection which process is to become the program. */
const startOf = (connection: Connection): Part => ({
  name: program.name,
  attach: (_, pid) => void (connection.starting = () => pid),
})

/** Written as the last step while the child waits at its gate: later its program may have filled the disk. */
const remembered = (request: RunRequest, source: RootSource, name: string, hasOwnHome: boolean): Part => ({
  name: program.name,
  async attach(container, pid) {
    const { id, spec, cable, ledger, monitor } = container
    const started = startTime(pid)
    const forwarders = await forwardPorts(request, container, pid)
    // a program can clear the setting by which it dies with us: prctl(2), PR_SET_PDEATHSIG. Recorded last, so the next command undoes
    // it first, while the cgroup still limits the program
    ledger.add({ kind: 'process', pid, started })
    prepareState({
      id,
      name,
      image: source.name,
      command: spec.process.args,
      created: new Date().toISOString(),
      ports: request.ports,
      hasOwnHome,
      log: request.log ?? null,
      address: cable?.address ?? null,
      boot: bootId(),
      pid,
      started,
      keeper: keeperOf(monitor?.pid ?? request.keeper),
      ...(forwarders && { forwarders }),
      ...(request.pumps && { pumps: request.pumps }),
      spec,
    })
  },
})

/** Only `run -p` needs them. */
async function forwardPorts({ listeningSockets }: RunRequest, { cable, ledger }: Container, pid: number) {
  if (listeningSockets.length === 0) return undefined
  const { startForwarders } = await import('../net/forwarder.ts')
  return startForwarders(listeningSockets, cable?.address ?? '127.0.0.1', pid, ledger)
}

const keeperOf = (pid = process.pid) => ({ pid, started: startTime(pid) })

/** The files that it leaves, and that no part records. */
export function noteFiles(
  { keeper, remove, log }: RunRequest,
  { kind }: RootSource,
  { id, ledger }: Plan,
): void {
  if (kind !== 'image' || keeper || log)
    ledger.add({ kind: 'folder', path: containerFolder(id), ...(!remove && { unless: 'state.json' }) })
  if (log) ledger.add({ kind: 'file', path: log, ...(!remove && { unless: 'named' }) })
}

/** Without our own cgroup there are no limits: that is fine unless some were asked for. */
function partsFor({ resources }: RunRequest, { id }: Plan, all: readonly Part[]): readonly Part[] {
  const planned = planCgroup(`/minilab/${id}`, ['memory', 'cpu', 'pids'])
  if (planned instanceof Cgroup) return all
  if (Object.keys(resources).length > 0)
    throw new MinilabError('limited', `limits cannot be set: ${planned.reason}`, planned.remedy)
  return all.filter(part => !isPart(part, 'limits'))
}

/** Looks after a running container; resolves to how it ended. */
async function attend({ child, container: { terminal } }: Started, connection: Connection): Promise<Exit> {
  const master = terminal?.master
  return connection.attend(child, master === undefined ? undefined : { master, slave: openSlave(master) })
}

/** Records how it ended, unless it has been removed. */
export function recordExit(id: string, status: number, at = new Date()): void {
  const state = states().find(other => other.id === id)
  if (state) writeState({ ...state, exit: { status, at: at.toISOString() } })
}
