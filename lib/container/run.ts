import { randomBytes } from 'node:crypto'
import { existsSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { findImage, type RootSource } from '../image/store.ts'
import { removeTree } from '../image/tree.ts'
import { dataFolder } from '../image/data-folder.ts'
import { Cgroup } from '../kernel/cgroup.ts'
import { type Child, type Exit, shellStatus } from '../kernel/child.ts'
import { UsageError } from '../kernel/errors.ts'
import { quote } from '../kernel/kinds.ts'
import { planCgroup } from '../kernel/make-cgroup.ts'
import { bootId, startTime } from '../kernel/procfs.ts'
import { defaultSpec } from './default-spec.ts'
import { hardening } from './hardening.ts'
import { layers } from './layers.ts'
import { Ledger, recover } from './ledger.ts'
import { limits } from './limits.ts'
import { LimitedError } from './limited.ts'
import { namespaces } from './namespaces.ts'
import { network } from './network.ts'
import { type NetworkMode, planNetwork, shareHostNetwork } from './network-plan.ts'
import type { Container, Part } from './part.ts'
import { program } from './program.ts'
import { forward, type Listener } from './publish.ts'
import { pump } from './pump.ts'
import { root } from './root.ts'
import { environment } from './run-options.ts'
import { defaultProfile } from './seccomp-default.ts'
import type { MountSpec, ResourcesSpec } from './spec.ts'
import { compose } from './start.ts'
import { containerFolder, states, writeState } from './state.ts'
import { terminal } from './terminal.ts'
import { user } from './user.ts'

/** All seven chapters and what they have no room for, in the order in which the child applies them. */
const PARTS: readonly Part[] = [namespaces, layers, root, limits, network, terminal, hardening, program]

/** How long a program may take to end when its terminal is closed: as `docker stop` gives it. */
const GRACE = 10_000 // ms

/** What `minilab run` was asked for, read and checked. */
export interface RunRequest {
  image: string
  command: string[]
  rootless: boolean
  name?: string
  remove: boolean
  interactive: boolean
  terminal: boolean
  resources: ResourcesSpec
  env: string[]
  workdir?: string
  user?: string
  volumes: MountSpec[]
  network: NetworkMode
  listeners: Listener[]
  ports: string[]
  readOnly: boolean
  hostname?: string
  capabilities: string[]
  /** the file that takes its output, with -d */
  log?: string
  /** the process of ours that takes back what it leaves, where that is not this one: it may have lost its way among mounts */
  keeper?: number
  /** hears of the container's id when its program has started */
  started?(id: string): void
}

/**
 * Runs a container to its end, of our parts or of others; resolves to its exit status as a shell gives it. Nothing is left
 * behind when it fails, but what a `keeper` takes back.
 */
export async function runContainer(request: RunRequest, all = PARTS): Promise<number> {
  if (!request.keeper) await recover(dataFolder())
  const source = await findImage(request.image)
  const id = randomBytes(6).toString('hex')
  const name = chooseName(request.name, id)
  const container = describe(request, source, id)
  const parts = partsFor(request, container, all)
  try {
    const { child } = await compose(parts).start(container)
    writeState({
      id,
      name,
      image: source.name,
      command: container.spec.process.args,
      created: new Date().toISOString(),
      ports: request.ports,
      log: request.log ?? null,
      address: container.network?.address ?? null,
      boot: bootId(),
      pid: child.pid,
      started: child.started,
      keeper: keeperOf(request),
      spec: container.spec,
    })
    request.started?.(id)
    const status = shellStatus(await attend(request, container, child))
    recordExit(id, status)
    return status
  } catch (error) {
    // what never ran leaves nothing; without its state the ledger says so of the folder
    if (request.keeper) rmSync(join(containerFolder(id), 'state.json'), { force: true })
    else removeTree(containerFolder(id))
    throw error
  } finally {
    if (!request.keeper) await container.ledger.settle()
  }
}

const keeperOf = ({ keeper: pid = process.pid }: RunRequest) => ({ pid, started: startTime(pid) })

function describe(request: RunRequest, source: RootSource, id: string): Container {
  const folder = containerFolder(id)
  const lower = source.layers.toReversed()
  const isImage = source.kind === 'image'
  const rootfs = isImage ? join(folder, 'merged') : (lower[0] ?? '')
  const { Entrypoint = [], Cmd = [], Env = [], WorkingDir = '/', User } = source.config
  const args = [...Entrypoint, ...(request.command.length ? request.command : Cmd)]
  if (args.length === 0)
    throw new UsageError(`no command, and ${source.name} names none`, `minilab run ${source.name} /bin/sh`)

  const spec = defaultSpec(rootfs, args, request.rootless)
  const { process, linux } = spec
  linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'time') // as Docker: the clocks are the machine's
  linux.cgroupsPath = `/minilab/${id}`
  linux.resources = request.resources
  linux.seccomp = defaultProfile(request.capabilities)
  spec.hostname = request.hostname ?? id
  spec.root.readonly = request.readOnly
  spec.mounts.push(...request.volumes)
  process.terminal = request.terminal
  process.env = environment([...process.env, `HOSTNAME=${spec.hostname}`, ...Env], request.env)
  process.cwd = request.workdir ?? (WorkingDir || '/')
  Object.assign(process.user, user(request.user ?? (User || '0:0'), lower))
  const sets = {
    bounding: request.capabilities,
    permitted: request.capabilities,
    effective: request.capabilities,
  }
  // capabilities(7): a user other than root keeps none across execve
  process.capabilities = process.user.uid === 0 ? sets : { bounding: request.capabilities }
  if (request.network === 'host') shareHostNetwork(spec)

  const ledger = new Ledger(dataFolder())
  if (!isImage || request.keeper)
    ledger.add({ kind: 'folder', path: folder, ...(!request.remove && { unless: 'state.json' }) })
  return {
    id,
    spec,
    rootfs,
    ...(isImage && { layers: { lower, folder, keep: !request.remove } }),
    network: planNetwork(request.network),
    ledger,
    stdio: [request.interactive ? 0 : openSync('/dev/null', 'r'), 1, 2],
    diesWithUs: true,
    ...(request.terminal && { terminal: {} }),
  }
}

/** Without a cgroup of our own there are no limits: no matter, unless some were asked for. */
function partsFor({ resources }: RunRequest, { id }: Container, all: readonly Part[]): readonly Part[] {
  const refused = planCgroup(`/minilab/${id}`, ['memory', 'cpu', 'pids'])
  if (refused instanceof Cgroup) return all
  if (Object.keys(resources).length > 0)
    throw new LimitedError(`limits cannot be set: ${refused.reason}`, refused.remedy)
  return all.filter(part => part.name !== limits.name)
}

/** Looks after a running container: its ports, its terminal, our signals; resolves to how it ended. */
async function attend(request: RunRequest, container: Container, child: Child): Promise<Exit> {
  const address = container.network?.mode === 'bridge' ? container.network.address : '127.0.0.1'
  const servers = request.listeners.map(listener => forward(listener, address ?? '127.0.0.1'))
  const master = container.terminal?.master
  const pumped = master === undefined ? undefined : pump(master, request.interactive)
  let deadline: NodeJS.Timeout | undefined
  const pass = (signal: NodeJS.Signals) => {
    child.kill(signal)
    // our terminal has gone, and nobody reaches the container any more; pid_namespaces(7): its first process may ignore SIGHUP
    if (signal === 'SIGHUP' && pumped) deadline ??= setTimeout(() => child.kill('SIGKILL'), GRACE)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const
  for (const signal of signals) process.on(signal, pass)
  try {
    const exit = await child.exit
    await pumped?.done // the last output may still be on its way
    return exit
  } finally {
    clearTimeout(deadline)
    pumped?.end()
    for (const signal of signals) process.off(signal, pass)
    for (const server of servers) server.close()
  }
}

function chooseName(wanted: string | undefined, id: string): string {
  if (wanted === undefined) return `lab-${id.slice(0, 4)}`
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(wanted))
    throw new UsageError(
      `${quote(wanted)} is no name for a container`,
      'use letters, digits and _ . -, at most 128',
    )
  const other = states().find(state => state.name === wanted)
  if (other)
    throw new UsageError(
      `the name "${wanted}" is taken by ${other.id}`,
      `minilab rm -f ${wanted}, or choose another`,
    )
  return wanted
}

function recordExit(id: string, status: number): void {
  const state = states().find(other => other.id === id)
  if (state && existsSync(containerFolder(id)))
    writeState({ ...state, exit: { status, at: new Date().toISOString() } })
}
