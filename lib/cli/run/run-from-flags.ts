import { openSync, readFileSync } from 'node:fs'
import { pipe } from '../../kernel/process/pipe.ts'
import type { Sandbox } from '../../sandbox/sandbox.ts'
import { recover } from '../../container/ledger/ledger.ts'
import { listen } from '../../container/net/publish.ts'
import type { RunRequest } from '../../container/run/plan.ts'
import { runContainer } from '../../container/run/run.ts'
import {
  hostName,
  keptCapabilities,
  networkMode,
  port,
  refuseNoTerminal,
  resources,
  volumes,
  workdir,
} from '../../container/run/options.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { shellStatus } from '../../kernel/process/child.ts'
import { MinilabError } from '../../common/errors.ts'
import { EXIT } from '../exit.ts'
import { lineOf, warn } from '../report-error.ts'
import { ourselves } from '../../common/ourselves.ts'
import { type Handed, RUN } from './handed.ts'
import type { RunFlags } from './run.ts'

/** Warnings about the chosen flags. */
const OPENS =
  'CAP_SYS_ADMIN lets the container administer what no other capability covers, such as quotas and devices; ' +
  'mounting stays refused, because it would uncover the masked parts of /proc and /sys'

const UNCHECKED =
  "--unsafe runs your parts without their checks: if they do not change the root, the program works on this machine's own root, with your rights"

/** Checks all flags, and then runs the container: here, in the sandbox, or in the background. Resolves to the exit status. */
export async function runFromFlags(image: string, command: string[], flags: RunFlags): Promise<number> {
  const begun = RUN.told
  if (begun?.ended) {
    await (await import('../../container/run/detached.ts')).afterDetached(begun.ended, notTakenBack)
    return EXIT.ok
  }
  const request: RunRequest = { ...requestFrom(image, command, flags), notTakenBack }
  if (!begun && flags.unsafe) warn(UNCHECKED)
  else if (!begun && flags.mine) await (await import('./run-mine.ts')).refuseUnproven(flags.rootless ?? false)
  if (!begun && request.capabilities.includes('CAP_SYS_ADMIN')) warn(OPENS)
  const handed = begun ?? { listeningSockets: (flags.publish ?? []).map(text => listen(port(text))) }
  return runHere(request, flags, handed)
}

/** Runs in this process, or in a minilab process in the sandbox or in a private mount namespace. */
async function runHere(request: RunRequest, flags: RunFlags, handed: Handed): Promise<number> {
  const { listeningSockets, keeper } = handed
  const { mine = false, detach = false } = flags
  if (request.rootless && request.network === 'bridge' && process.env.MINILAB_SANDBOX === undefined)
    return reexecute(handed, { kind: 'network' })
  if (mine && keeper === undefined && process.geteuid?.() === 0) return keep(handed, detach)
  const whole = { ...request, listeningSockets, ...(keeper !== undefined && { keeper }) }
  if (detach) return (await import('./run-detached.ts')).runDetached(whole, handed, mine)
  if (!mine) return runContainer(whole)
  return (await import('./run-mine.ts')).withOwnParts(parts => runContainer(whole, parts))
}

/**
 * Re-executes minilab for the learner's parts in a private mount namespace, where a mistaken mount reaches no other process. Cleans
 * up after that process has ended and its mounts are gone: otherwise we might remove, below such a mount, files that are not ours. In
 * the background the monitor stays, which comes back to our mount namespace for that.
 */
async function keep(begun: Handed, detach: boolean): Promise<number> {
  await recover(dataFolder(), [], notTakenBack)
  const handed: Handed = { ...begun, keeper: process.pid }
  const told = detach ? pipe() : undefined
  if (told) Object.assign(handed, { notify: told.write, home: openSync('/proc/self/ns/mnt', 'r') })
  const status = await reexecute(handed, { kind: 'mounts' })
  const id = told && readFileSync(told.read, 'utf8')
  await recover(dataFolder(), [], notTakenBack)
  return id ? (await import('./print-id.ts')).printId(id) : status
}

/** A failed cleanup does not stop a container from running, and does not change the exit status. */
const notTakenBack = (error: unknown) =>
  void process.stderr.write(
    lineOf(error).replace('minilab: ', 'minilab: a container left something behind: '),
  )

/** Re-executes the same command line in the sandbox or in other namespaces; listening sockets are passed along. */
async function reexecute(handed: Handed, sandbox: Sandbox): Promise<number> {
  const { listeningSockets, notify, home } = handed
  const keep = [...listeningSockets.map(({ fd }) => fd), notify, home].filter(fd => fd !== undefined)
  const env = { ...process.env, MINILAB_DATA: dataFolder() }
  const { runInSandbox } = await import('../../sandbox/start.ts')
  const ended = runInSandbox(sandbox, { args: ourselves(), env, keep, told: RUN.tell(handed) })
  return shellStatus(await ended)
}

/** The checked command line. Throws a usage error for values that make no sense, alone or together. */
function requestFrom(image: string, command: string[], flags: RunFlags): Omit<RunRequest, 'notTakenBack'> {
  const network = networkMode(flags.network)
  flags.publish?.forEach(port)
  if (flags.publish?.length && network !== 'bridge')
    throw new MinilabError('usage', `-p needs a bridge, and the network is ${network}`, 'leave out --network')
  if (flags.unsafe && !flags.mine)
    throw new MinilabError('usage', '--unsafe applies only to your parts', 'leave it out, or add --mine')
  if (flags.init && flags.mine)
    throw new MinilabError(
      'usage',
      '--init belongs to our own first part, and --mine uses yours',
      'use only one of them',
    )
  if (flags.tty && flags.detach)
    throw new MinilabError('usage', '-t needs a terminal, and -d leaves it', 'use only one of them')
  refuseNoTerminal(flags)
  return {
    image,
    command,
    rootless: flags.rootless ?? false,
    remove: flags.rm ?? false,
    interactive: flags.interactive ?? false,
    terminal: flags.tty ?? false,
    resources: resources(flags),
    env: [...(flags.tty ? [`TERM=${process.env.TERM ?? 'xterm'}`] : []), ...(flags.env ?? [])],
    volumes: volumes(flags.volume ?? []),
    network,
    listeningSockets: [],
    ports: flags.publish ?? [],
    readOnly: flags.readOnly ?? false,
    capabilities: keptCapabilities(flags.capAdd, flags.capDrop),
    init: flags.init ?? false,
    ...(flags.name !== undefined && { name: flags.name }),
    ...(flags.workdir !== undefined && { workdir: workdir(flags.workdir) }),
    ...(flags.user !== undefined && { user: flags.user }),
    ...(flags.hostname !== undefined && { hostname: hostName(flags.hostname) }),
  }
}
