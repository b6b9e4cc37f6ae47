import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { MinilabError } from '../../common/errors.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { resolveMerged } from '../../image/merged-file.ts'
import type { RootSource } from '../../image/store.ts'
import { callersRlimits } from '../callers-rlimits.ts'
import { CGROUP_MOUNT, defaultSpec } from '../default-spec.ts'
import { Ledger } from '../ledger/ledger.ts'
import { type NetworkMode, planNetwork, shareHostNetwork } from '../net/network-plan.ts'
import type { ListeningSocket } from '../net/publish.ts'
import type { Plan } from '../part.ts'
import { etcMounts } from '../rootfs/etc-files.ts'
import { placeVolumes } from '../rootfs/volumes.ts'
import { defaultProfile, withoutMounting } from '../seccomp/seccomp-default.ts'
import type { MountSpec, ResourcesSpec } from '../spec.ts'
import { containerFolder } from '../state/state.ts'
import type { Pumps, Stdio } from '../streams/streams.ts'
import { user } from '../user.ts'
import { capabilitiesOf, environment } from './options.ts'

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
  listeningSockets: ListeningSocket[]
  ports: string[]
  readOnly: boolean
  hostname?: string
  capabilities: string[]
  /** whether an init is process 1, and the program its child */
  init?: boolean
  /** the file that receives its output, with -d */
  log?: string
  /** the process of ours that undoes what it leaves, if that is not this one: mistaken mounts may hide our paths from us */
  keeper?: number
  /** called if something could not be undone, of this container or another */
  notTakenBack(error: unknown): void
  /** the processes that write that file, if they are others */
  pumps?: Pumps
}

export interface RunPlan extends Plan {
  /** whether `-e` or the image sets HOME */
  hasOwnHome: boolean
}

/**
 * The plan for a container of `minilab run`. Throws a usage error if there is no command, or if the image has no such user
 * or place.
 */
export function planRun(request: RunRequest, source: RootSource, id: string, stdio: Stdio): RunPlan {
  const folder = containerFolder(id)
  const lower = source.layers.toReversed()
  const isImage = source.kind === 'image'
  const rootfs = isImage ? join(folder, 'merged') : (lower[0] ?? '')
  const { Entrypoint = [], Cmd = [], Env = [], WorkingDir = '/', User } = source.config
  const args = [...Entrypoint, ...(request.command.length ? request.command : Cmd)]
  if (args.length === 0)
    throw new MinilabError(
      'usage',
      `no command was given, and ${source.name} has no default`,
      `minilab run ${source.name} /bin/sh`,
    )

  const spec = defaultSpec(rootfs, args, request.rootless)
  const { process, linux } = spec
  linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'time') // as Docker before 29.5: containers use the machine's clocks
  linux.cgroupsPath = `/minilab/${id}`
  linux.resources = request.resources
  // a process that may mount may also unmount what covers /proc and /sys: so the filter forbids mounting all the same
  linux.seccomp = withoutMounting(defaultProfile(request.capabilities))
  // as Docker: with the host's network and its /etc/hosts comes the host's name
  spec.hostname = request.hostname ?? (request.network === 'host' ? hostname() : id)
  spec.root.readonly = request.readOnly
  spec.mounts.push(CGROUP_MOUNT)
  // as Docker: in the container's own network no port needs a privilege, and every user may ping
  if (request.network !== 'host')
    linux.sysctl = {
      'net.ipv4.ip_unprivileged_port_start': '0',
      'net.ipv4.ping_group_range': request.rootless ? '0 0' : '0 2147483647',
      // a router advertisement of another container would change its routes: CVE-2020-13401
      ...(request.network === 'bridge' &&
        existsSync('/proc/sys/net/ipv6') && { 'net.ipv6.conf.eth0.accept_ra': '0' }),
    }
  const terminals = spec.mounts.find(({ type }) => type === 'devpts')
  if (!request.rootless) terminals?.options?.push('gid=5') // tty, on every Linux; without root there is only one group
  const volumes = placeVolumes([...etcMountsFor(request, source, folder), ...request.volumes], lower)
  spec.mounts.push(...volumes)
  process.terminal = request.terminal
  const { home, ...ids } = user(request.user || User || '0', lower) // as Docker: -u "" is the image's user
  const hasOwnHome = environment(Env, request.env).some(entry => entry.startsWith('HOME='))
  process.user = ids
  // as Docker: TERM is set only with a terminal, or by the image
  process.env = environment(
    [
      ...process.env.filter(entry => !entry.startsWith('TERM=')),
      `HOSTNAME=${spec.hostname}`,
      `HOME=${home}`,
      ...Env,
    ],
    request.env,
  )
  process.cwd = resolveMerged(lower, request.workdir ?? (WorkingDir || '/'), volumes)
  process.rlimits = callersRlimits()
  process.capabilities = capabilitiesOf(process.user.uid, request.capabilities)
  if (request.network === 'host') shareHostNetwork(spec)

  return {
    id,
    spec,
    rootfs,
    ...(isImage && { layers: { lower, folder, keep: !request.remove } }),
    hasOwnHome,
    network: planNetwork(request.network),
    ledger: new Ledger(dataFolder()),
    stdio,
    diesWithUs: true,
  }
}

/** Leaves out a file whose place a volume takes and, if the root file system is a plain directory, a file that it lacks. */
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

/** Whether a directory has an entry with this name, even a dangling link: then its target will be made. */
function isNamed(dir: string, path: string): boolean {
  return resolveMerged([dir], path) !== path || existsSync(join(dir, path))
}
