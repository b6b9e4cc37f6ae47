import { fstatSync, realpathSync, statSync } from 'node:fs'
import { join, posix, resolve } from 'node:path'
import { MinilabError } from '../common/errors.ts'
import { callersRlimits } from '../container/callers-rlimits.ts'
import type { Held } from '../container/held.ts'
import { Ledger } from '../container/ledger/ledger.ts'
import type { Entry } from '../container/ledger/ledger-entry.ts'
import { planNetwork } from '../container/net/network-plan.ts'
import type { Plan } from '../container/part.ts'
import { ALWAYS_ALLOWED } from '../container/rootfs/devices.ts'
import { folderIn } from '../container/rootfs/folder-in.ts'
import { inKernelTree } from '../container/rootfs/mount-kinds.ts'
import { placeVolumes } from '../container/rootfs/volumes.ts'
import type { MountSpec, ProcessSpec } from '../container/spec.ts'
import { user } from '../container/user.ts'
import type { Config } from './config.ts'
import { ourStdio } from './stdio.ts'
import { isMachinesRoot } from '../kernel/process/procfs.ts'
import { note } from './undo-log.ts'

/** Where a container that is being created has its things. */
export interface Places {
  id: string
  bundle: string
  /** the folder with the state of all containers, and its own folder in there */
  states: string
  folder: string
}

/** What our parts make of a config.json: with what runc adds to it, and with the places of its mounts in the image. */
export function planFor(config: Config, { id, bundle, states, folder }: Places, held: Held): Plan {
  const rootfs = resolve(bundle, config.root.path)
  if (!statSync(rootfs, { throwIfNoEntry: false })?.isDirectory())
    throw new MinilabError(
      'usage',
      `invalid rootfs: stat ${rootfs}: no such file or directory`,
      'correct root.path',
    )
  const { process: program, linux } = config
  config.mounts = placed(config, rootfs)
  coverAsWritten(config)
  setHome(program, rootfs)
  const limited = program.rlimits ?? []
  if (!limited.some(({ type }) => type === 'RLIMIT_NOFILE'))
    program.rlimits = [...limited, ...callersRlimits()]
  const { devices = [], ...resources } = linux.resources ?? {}
  // rules need rights over the machine. Without them none are set, as with runc: in a user namespace no device file can be made
  const rules = [{ allow: false }, ...devices, ...ALWAYS_ALLOWED]
  linux.resources = { ...resources, ...(isMachinesRoot() && { devices: rules }) }
  const ownNetwork = linux.namespaces.some(({ type, path }) => type === 'network' && !path)
  return {
    id,
    spec: config,
    rootfs: realpathSync(rootfs),
    network: planNetwork(ownNetwork ? 'none' : 'host'), // its loopback interface is set up, as with runc
    ledger: new UndoLog(states, join(folder, 'undo')),
    stdio: ourStdio(),
    diesWithUs: false,
    rootAsGiven: true,
    held,
  }
}

/** The mounts at the places that their paths mean in the image; those of the kernel's trees come first, in the given order. */
function placed(config: Config, rootfs: string): MountSpec[] {
  const plain = config.mounts.map(mount => ({ ...mount, destination: posix.resolve('/', mount.destination) }))
  // without a tree of its own, /dev and what is in it belong to the image, with all its links
  const inKernel = ({ destination }: MountSpec) => inKernelTree({ ...config, mounts: plain }, destination)
  plain.forEach(refuseInProc)
  return [
    ...plain.filter(inKernel),
    ...placeVolumes(
      plain.filter(mount => !inKernel(mount)),
      [rootfs],
    ).map(mount => withMode(mount, rootfs)),
  ]
}

/** The paths to cover, from the root: `/proc/../x` is not in /proc. A read-only "/" is a read-only root; to mask it would hide nothing. */
function coverAsWritten({ linux, root }: Config): void {
  const whole = (paths: string[] = []) => paths.map(path => posix.resolve('/', path))
  linux.maskedPaths = whole(linux.maskedPaths)
  if (linux.maskedPaths.includes('/'))
    throw new MinilabError('usage', 'linux.maskedPaths: "/" cannot be masked', 'name the paths in it')
  const readonly = whole(linux.readonlyPaths)
  linux.readonlyPaths = readonly.filter(path => path !== '/')
  if (readonly.length > linux.readonlyPaths.length) root.readonly = true
}

/** As runc: a tmpfs over a directory of the image gets its mode, if the options name none. */
function withMode(mount: MountSpec, rootfs: string): MountSpec {
  const { type, destination, options = [] } = mount
  if (type !== 'tmpfs' || options.some(option => /^(mode=|tmpcopyup$)/.test(option))) return mount
  using folder = folderIn(rootfs, destination)
  if (!folder) return mount
  return { ...mount, options: [...options, `mode=${(fstatSync(folder.fd).mode & 0o7777).toString(8)}`] }
}

/** What lxcfs replaces, and runc allows: libcontainer/rootfs_linux.go, checkProcMount(). */
const ALLOWED_IN_PROC = [
  'cpuinfo',
  'diskstats',
  'meminfo',
  'stat',
  'swaps',
  'uptime',
  'loadavg',
  'slabinfo',
  'net/dev',
]

/** A mount in /proc could divert what a runtime writes or reads there: CVE-2019-16884, CVE-2019-19921. */
function refuseInProc({ destination, type }: MountSpec): void {
  const inside = /^[/]proc[/](.*)/.exec(destination)?.[1]
  const isWhole = destination === '/proc' && type !== 'proc'
  if (isWhole || (inside !== undefined && !ALLOWED_IN_PROC.includes(inside)))
    throw new MinilabError(
      'usage',
      `${JSON.stringify(destination)} cannot be mounted because it is inside /proc`,
      'choose another destination',
    )
}

/** As runc: a program without HOME gets the home directory of its user, from the image's /etc/passwd. */
export function setHome(program: ProcessSpec, rootfs: string): void {
  if (program.env.some(entry => entry.startsWith('HOME='))) return
  program.env = [...program.env, `HOME=${user(String(program.user.uid), [rootfs]).home}`]
}

/** The parts record in the container's own folder what they are about to make. */
class UndoLog extends Ledger {
  readonly #path: string
  constructor(states: string, path: string) {
    super(states)
    this.#path = path
  }
  override add(entry: Entry): void {
    note(this.#path, entry)
    this.entries.push(entry)
  }
}
