import { randomBytes } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { resolveMerged } from '../image/merged-file.ts'
import { findImage, type RootSource } from '../image/store.ts'
import { removeTree } from '../image/tree.ts'
import { dataFolder } from '../image/data-folder.ts'
import { Cgroup } from '../kernel/cgroup/cgroup.ts'
import { type Child, type Exit, shellStatus } from '../kernel/process/child.ts'
import { MinilabError } from '../common/errors.ts'
import { planCgroup } from '../kernel/cgroup/make-cgroup.ts'
import { bootId, startTime } from '../kernel/process/procfs.ts'
import { callersRlimits } from './callers-rlimits.ts'
import { Connection } from './streams/connection.ts'
import { CGROUP_MOUNT, defaultSpec } from './default-spec.ts'
import { etcFiles, etcMounts } from './rootfs/etc-files.ts'
import { hardening } from './parts/hardening.ts'
import { layers } from './parts/layers.ts'
import { Ledger, recover } from './ledger/ledger.ts'
import { limits } from './parts/limits.ts'
import { holdName } from './state/names.ts'
import { namespaces } from './parts/namespaces.ts'
import { network } from './parts/network.ts'
import { type NetworkMode, planNetwork, shareHostNetwork } from './net/network-plan.ts'
import { openSlave } from './streams/our-terminal.ts'
import type { Container, Part } from './part.ts'
import { program, workdir } from './parts/process.ts'
import { forward, type Listener } from './net/publish.ts'
import { root } from './parts/root.ts'
import { capabilitiesOf, environment } from './run-options.ts'
import { defaultProfile, withoutMounting } from './seccomp/seccomp-default.ts'
import type { MountSpec, ResourcesSpec } from './spec.ts'
import { compose } from './start.ts'
import { commitState, containerFolder, prepareState, states, writeState } from './state/state.ts'
import { type Stdio, streams } from './streams/streams.ts'
import { terminal } from './parts/terminal.ts'
import { user } from './user.ts'
import { placeVolumes } from './rootfs/volumes.ts'

/** All seven chapters and what they have no room for, in the order in which the child applies them. */
const PARTS: readonly Part[] = [
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
  /** hears of what could not be taken back, of this container or another */
  notTakenBack(error: unknown): void
  /** hears of the container's id when its program has started */
  started?(id: string): void
}

/**
 * Runs a container to its end, of our parts or of others; resolves to its exit status as a shell gives it. Nothing is left
 * behind when it fails, but what a `keeper` takes back.
 */
export async function runContainer(request: RunRequest, all = PARTS): Promise<number> {
  if (!request.keeper) await recover(dataFolder(), [], request.notTakenBack)
  const source = await findImage(request.image)
  const id = randomBytes(6).toString('hex')
  using connection = new Connection({ ...request, log: request.log !== undefined })
  const container = describe(request, source, id, connection.stdio)
  try {
    noteFiles(request, source, container)
    const child = await start(request, source, container, all)
    const status = shellStatus(await attend(request, container, child, connection))
    recordExit(id, status)
    await connection.finish()
    return status
  } finally {
    if (!request.keeper) await container.ledger.settle().catch(request.notTakenBack)
  }
}

/** Starts it, and writes down what it is. What never ran leaves nothing. */
async function start(
  request: RunRequest,
  source: RootSource,
  container: Container,
  all: readonly Part[],
): Promise<Child> {
  const { id } = container
  let child: Child | undefined
  try {
    using held = holdName(request.name)
    const parts = [
      ...partsFor(request, container, all),
      etcFiles(containerFolder(id)),
      remembered(request, source, held.name),
    ]
    ;({ child } = await compose(parts).start(container))
    commitState(id)
    request.started?.(id)
    return child
  } catch (error) {
    child?.kill('SIGKILL')
    await child?.exit
    // without its state the ledger says so of the folder
    if (request.keeper) rmSync(join(containerFolder(id), 'state.json'), { force: true })
    else removeTree(containerFolder(id))
    throw error
  }
}

/** Written while the child waits at its gate, as the last thing that is done for it: later its program may have filled the disk. */
const remembered = (request: RunRequest, source: RootSource, name: string): Part => ({
  name: program.name,
  attach({ id, spec, network, ledger }, pid) {
    const started = startTime(pid)
    // a program may ask not to die with us: prctl(2), PR_SET_PDEATHSIG. Noted last, it is the first that the next command takes
    // back, while its cgroup still limits it
    ledger.add({ kind: 'process', pid, started })
    prepareState({
      id,
      name,
      image: source.name,
      command: spec.process.args,
      created: new Date().toISOString(),
      ports: request.ports,
      log: request.log ?? null,
      address: network?.address ?? null,
      boot: bootId(),
      pid,
      started,
      keeper: keeperOf(request),
      spec,
    })
  },
})

const keeperOf = ({ keeper: pid = process.pid }: RunRequest) => ({ pid, started: startTime(pid) })

function describe(request: RunRequest, source: RootSource, id: string, stdio: Stdio): Container {
  const folder = containerFolder(id)
  const lower = source.layers.toReversed()
  const isImage = source.kind === 'image'
  const rootfs = isImage ? join(folder, 'merged') : (lower[0] ?? '')
  const { Entrypoint = [], Cmd = [], Env = [], WorkingDir = '/', User } = source.config
  const args = [...Entrypoint, ...(request.command.length ? request.command : Cmd)]
  if (args.length === 0)
    throw new MinilabError(
      'usage',
      `no command, and ${source.name} names none`,
      `minilab run ${source.name} /bin/sh`,
    )

  const spec = defaultSpec(rootfs, args, request.rootless)
  const { process, linux } = spec
  linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'time') // as Docker: the clocks are the machine's
  linux.cgroupsPath = `/minilab/${id}`
  linux.resources = request.resources
  // whoever may mount may take off what covers /proc and /sys: so the filter forbids it all the same
  linux.seccomp = withoutMounting(defaultProfile(request.capabilities))
  // as Docker: with the host's network, and its /etc/hosts, the host's name
  spec.hostname = request.hostname ?? (request.network === 'host' ? hostname() : id)
  spec.root.readonly = request.readOnly
  if (request.network !== 'host') spec.mounts.push(CGROUP_MOUNT) // else /sys is the host's, and covered there
  // as Docker: no port is a privilege, and anybody may ping, in a network that is the container's own
  if (request.network !== 'host')
    linux.sysctl = {
      'net.ipv4.ip_unprivileged_port_start': '0',
      'net.ipv4.ping_group_range': request.rootless ? '0 0' : '0 2147483647',
    }
  const terminals = spec.mounts.find(({ type }) => type === 'devpts')
  if (!request.rootless) terminals?.options?.push('gid=5') // tty, on every Linux; without root there is one group
  spec.mounts.push(...placeVolumes([...etcMountsFor(request, source, folder), ...request.volumes], lower))
  process.terminal = request.terminal
  const { home, ...ids } = user(request.user ?? (User || '0'), lower)
  process.user = ids
  process.env = environment(
    [...process.env, `HOSTNAME=${spec.hostname}`, `HOME=${home}`, ...Env],
    request.env,
  )
  process.cwd = resolveMerged(lower, request.workdir ?? (WorkingDir || '/'))
  process.rlimits = callersRlimits()
  process.capabilities = capabilitiesOf(process.user.uid, request.capabilities)
  if (request.network === 'host') shareHostNetwork(spec)

  return {
    id,
    spec,
    rootfs,
    ...(isImage && { layers: { lower, folder, keep: !request.remove } }),
    network: planNetwork(request.network),
    ledger: new Ledger(dataFolder()),
    stdio,
    diesWithUs: true,
    ...(request.terminal && { terminal: {} }),
  }
}

/** What it leaves in files, where no part notes that. */
function noteFiles(
  { keeper, remove, log }: RunRequest,
  { kind }: RootSource,
  { id, ledger }: Container,
): void {
  if (kind !== 'image' || keeper)
    ledger.add({ kind: 'folder', path: containerFolder(id), ...(!remove && { unless: 'state.json' }) })
  if (log && remove) ledger.add({ kind: 'file', path: log })
}

/** A volume takes the place of one of them; a directory that is a root file system is given none that it has not. */
const etcMountsFor = (
  { volumes, readOnly }: RunRequest,
  { kind, layers: [dir = ''] }: RootSource,
  folder: string,
) =>
  etcMounts(folder, readOnly).filter(
    ({ destination }) =>
      !volumes.some(volume => volume.destination === destination) &&
      (kind === 'image' || isNamed(dir, destination)),
  )

/** Whether a directory has such a name, if only as a link that leads nowhere yet: its target is made then. */
function isNamed(dir: string, path: string): boolean {
  return resolveMerged([dir], path) !== path || existsSync(join(dir, path))
}

/** Without a cgroup of our own there are no limits: no matter, unless some were asked for. */
function partsFor({ resources }: RunRequest, { id }: Container, all: readonly Part[]): readonly Part[] {
  const refused = planCgroup(`/minilab/${id}`, ['memory', 'cpu', 'pids'])
  if (refused instanceof Cgroup) return all
  if (Object.keys(resources).length > 0)
    throw new MinilabError('limited', `limits cannot be set: ${refused.reason}`, refused.remedy)
  return all.filter(part => part.name !== limits.name)
}

/** Looks after a running container, and its published ports; resolves to how it ended. */
async function attend(
  request: RunRequest,
  container: Container,
  child: Child,
  connection: Connection,
): Promise<Exit> {
  const address = container.network?.mode === 'bridge' ? container.network.address : '127.0.0.1'
  const servers = request.listeners.map(listener => forward(listener, address ?? '127.0.0.1'))
  try {
    const master = container.terminal?.master
    return await connection.attend(
      child,
      master === undefined ? undefined : { master, slave: openSlave(master) },
    )
  } finally {
    for (const server of servers) server[Symbol.dispose]()
  }
}

/** Notes how it ended, unless it was removed meanwhile. */
function recordExit(id: string, status: number): void {
  const state = states().find(other => other.id === id)
  if (state) writeState({ ...state, exit: { status, at: new Date().toISOString() } })
}
