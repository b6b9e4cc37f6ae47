import { mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { certain } from '../common/certain.ts'
import { codeOf } from '../common/error-code.ts'
import { MinilabError } from '../common/errors.ts'
import { replaceFile } from '../common/replace-file.ts'
import { Held } from '../container/held.ts'
import type { Container, Part, Plan } from '../container/part.ts'
import { hardening } from '../container/parts/hardening.ts'
import { limits } from '../container/parts/limits.ts'
import { namespaces } from '../container/parts/namespaces.ts'
import { network } from '../container/parts/network.ts'
import { closeRest, program, workdir } from '../container/parts/process.ts'
import { root } from '../container/parts/root.ts'
import { scheduling } from '../container/parts/scheduling.ts'
import { terminal } from '../container/parts/terminal.ts'
import { has } from '../container/spec.ts'
import { type Started, startParts } from '../container/start.ts'
import { streams } from '../container/streams/streams.ts'
import { Cgroup } from '../kernel/cgroup/cgroup.ts'
import { planCgroup } from '../kernel/cgroup/make-cgroup.ts'
import { bootId, isMachinesRoot, startTime } from '../kernel/process/procfs.ts'
import { KEYCTL_JOIN_SESSION_KEYRING } from '../kernel/syscalls/constants.ts'
import type { Call } from './commands.ts'
import { type Config, readConfig } from './config.ts'
import { checkConsole, sendTerminal } from './console.ts'
import { sendListener } from './listener.ts'
import { lookUp, notFound } from './look-up.ts'
import { planFor } from './plan.ts'
import { removeContainer, ROOT, sweep } from './remove.ts'
import { connectTo, sendPidfd } from './send-descriptor.ts'
import { folderOf, type State } from './state.ts'
import { traced } from './traced.ts'
import { inRuncsWords } from './words.ts'

/** What `create` adds to the parts of a container. */
export interface OfCreate {
  /** its own session keyring */
  keyring: Part[]
  /** its cgroups; none for a user without rights over any, whose container asks for no limits */
  cgroup: Part[]
  /** looks for the program */
  lookup: Part
  /** on the host, once all other parts have done their work there: the state, hooks, the files that other commands need */
  last: Part[]
}

/** The other descriptors are closed first. Both are one part, with which the second stage begins. */
const hardened: Part = {
  ...hardening,
  inside(tape, container, gate) {
    closeRest(tape, container, gate)
    hardening.inside?.(tape, container, gate)
  },
}

/** The order of our own parts. */
const ours = ({ keyring, cgroup, lookup, last }: OfCreate): Part[] => [
  namespaces,
  ...keyring,
  root,
  ...cgroup,
  network,
  terminal,
  streams,
  workdir,
  lookup,
  scheduling,
  hardened,
  program,
  ...last,
]

/** What `run` can still do with the container, as the process that has created it. */
export interface Created {
  state: State
  started: Started
}

/**
 * Makes a container whose program waits for `start`. It is then no longer ours: its parent is our parent, or the next subreaper above.
 * If anything fails, nothing is left. `ownTerminal`: its terminal may stay with us, instead of going to --console-socket.
 */
export async function createContainer(
  { root: states, flags, debug, warn, mine, systemd }: Call,
  id: string,
  { ownTerminal = false } = {},
): Promise<Created> {
  const folder = folderOf(states, id)
  const bundle = bundleOf(flags.value('bundle') ?? '.')
  const config = readConfig(bundle)
  const inUnit = systemd
    ? (await import('./systemd/part.ts')).limitsInUnit(config, id, join(folder, 'undo'))
    : undefined
  const console = flags.value('console-socket')
  if (!ownTerminal || console) checkConsole(config.process.terminal ?? false, console)
  if (!mine?.keeper) makeFolder(states, folder)
  const recorded: { state?: State } = {}
  let started: Started | undefined
  try {
    using held = new Held(folder, preserved(flags.value('preserve-fds')))
    const plan = {
      ...planFor(config, { id, bundle, states, folder }, held),
      ...(!has(config, 'mount') && { mountedAt: mountPoint(folder) }),
    }
    const lookup = lookUp(config.process)
    const parts = (mine?.arrange ?? ours)(
      {
        keyring: flags.has('no-new-keyring') ? [] : [keyring],
        cgroup: inUnit || needsCgroup(plan) ? [inUnit ?? limits] : [],
        lookup,
        last: [
          described(config, bundle, recorded),
          hooks(config, plan, folder, recorded),
          recording(held, folder, { console, pidfd: flags.value('pidfd-socket') }, recorded),
        ],
      },
      plan,
    )
    started = await startParts(parts, plan)
    for (const call of started.tape) debug(traced(call))
    const missing = notFound(lookup)
    if (missing) throw missing
    const { state } = recorded
    if (!state || !started.child.alive)
      throw new MinilabError('machine', 'the container ended before it was started', 'a signal killed it')
    const pidFile = flags.value('pid-file')
    if (pidFile !== undefined) replaceFile(pidFile, String(state.pid), { mode: 0o644, sync: false })
    return { state, started }
  } catch (error) {
    started?.child.kill('SIGKILL')
    await started?.child.exit
    if (mine?.keeper) rmSync(join(folder, 'state.json'), { force: true })
    else await removeContainer(states, folder)
    if (recorded.state && config.hooks?.poststop?.length) {
      const { tryHooks } = await import('./hooks.ts')
      tryHooks('poststop', config.hooks, recorded.state, 'stopped', warn)
    }
    throw inRuncsWords(error, config.process)
  }
}

/** The descriptors of `--preserve-fds`. */
export function preserved(text = '0'): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw new MinilabError('usage', `--preserve-fds ${text} is no number`, 'give a number of descriptors')
}

function bundleOf(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    throw new MinilabError('usage', `bundle ${path}: ${codeOf(error)}`, 'name a folder with a config.json')
  }
}

/** Its folder: at the same time the claim to the id. */
export function makeFolder(states: string, folder: string): void {
  mkdirSync(states, { recursive: true, mode: 0o711 })
  sweep(states)
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    throw new MinilabError(
      'usage',
      'container with given ID already exists',
      'choose another id, or delete it',
    )
  }
}

/**
 * Without a mount namespace of its own, a container's root and all mounts in it are the machine's: there they are in one place, which
 * `delete` unmounts. crun mounts on the bundle's folder instead, and leaves that to its user.
 */
function mountPoint(folder: string): string {
  const path = join(folder, ROOT)
  mkdirSync(path, { mode: 0o700 })
  return path
}

/**
 * Whether it gets its own cgroup. An ordinary user, also as root of a user namespace, may have no rights over any: then a container that
 * asks for no limits stays in the caller's, as with runc.
 */
function needsCgroup({ id, spec: { linux } }: Plan): boolean {
  if (isMachinesRoot()) return true
  const asked = Object.values(linux.resources ?? {}).flatMap(value => Object.values(value as object))
  return (
    asked.some(Boolean) ||
    planCgroup(linux.cgroupsPath ?? `/minilab/${id}`, ['memory', 'cpu', 'pids']) instanceof Cgroup
  )
}

/** Its own session keyring, so that it does not have the caller's keys: keyctl(2), session-keyring(7). */
const keyring: Part = {
  name: namespaces.name,
  inside: tape => void tape.allow('ENOSYS').keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0),
}

/** Once the container has a process and a cgroup, it can be described. */
const described = (config: Config, bundle: string, recorded: { state?: State }): Part => ({
  name: program.name,
  attach(container, pid) {
    recorded.state = stateOf(container, config, bundle, pid)
  },
})

/** The hooks that run before the container changes its root: runtime-spec config.md, "POSIX-platform Hooks". */
const hooks = ({ hooks }: Config, plan: Plan, folder: string, recorded: { state?: State }): Part => ({
  name: program.name,
  async attach() {
    const { state } = recorded
    if (!state || !hooks) return
    const { insideOf, onTheHost, runHooksByTape } = await import('./hooks-by-tape.ts')
    for (const kind of ['prestart', 'createRuntime', 'createContainer'] as const) {
      const start = kind === 'createContainer' ? insideOf(plan, state.pid) : onTheHost
      await runHooksByTape(kind, hooks[kind], state, 'created', { start, folder })
    }
  },
})

/** What other commands will need is written while the second stage waits, which ends if we die before. */
const recording = (
  held: Held,
  folder: string,
  sockets: { console: string | undefined; pidfd: string | undefined },
  recorded: { state?: State },
): Part => ({
  name: program.name,
  attach(container, pid) {
    held.onListener = fd => {
      sendListener(certain(container.spec.linux.seccomp), certain(recorded.state), 'creating', pid, fd)
    }
    held.onReady = () => {
      const master = container.terminal?.master
      if (master !== undefined && sockets.console) sendTerminal(sockets.console, master)
      if (sockets.pidfd) {
        using socket = connectTo(sockets.pidfd)
        sendPidfd(socket, 'standard', pid)
      }
      const write = (name: string, content: unknown) =>
        writeFileSync(join(folder, name), JSON.stringify(content), { mode: 0o600 })
      write('config.json', container.spec)
      write('calls', held.printed)
      replaceFile(join(folder, 'state.json'), JSON.stringify(recorded.state), { mode: 0o600, sync: false })
    }
  },
})

function stateOf({ id, rootfs, cgroup }: Container, config: Config, bundle: string, pid: number): State {
  return {
    ociVersion: config.ociVersion,
    id,
    pid,
    started: startTime(pid),
    boot: bootId(),
    bundle,
    rootfs,
    created: new Date().toISOString(),
    annotations: config.annotations,
    cgroups: (cgroup?.folders ?? []).map(({ path, hierarchy: { version, controllers } }) => ({
      path,
      version,
      controllers,
    })),
    hooks: config.hooks,
  }
}
