import { asTyped } from '../../guide/as-typed.ts'
import { rmSync } from 'node:fs'
import { constants } from 'node:os'
import { attainable } from '../../container/callers-rlimits.ts'
import { execIn, whileRunning } from '../../container/exec.ts'
import { heldByOwners, recover } from '../../container/ledger/ledger.ts'
import { heldByLiving } from '../../container/state/held-changes.ts'
import { capabilitiesOf, environment, workdir } from '../../container/run/options.ts'
import {
  containerFolder,
  damagedIds,
  findState,
  isRunning,
  running,
  states,
} from '../../container/state/state.ts'
import type { State } from '../../container/state/state-shape.ts'
import { type Account, user } from '../../container/user.ts'
import { dataFolder } from '../../image/data-folder.ts'
import { removeTree } from '../../image/tree.ts'
import { type Exit, shellStatus } from '../../kernel/process/child.ts'
import { cgroupOf, isFrozenProcess, thawTree } from '../../kernel/cgroup/cgroup.ts'
import { closing } from '../../common/descriptor.ts'
import { MinilabError } from '../../common/errors.ts'
import { openInside } from '../../kernel/mount/open-inside.ts'
import { O_CLOEXEC, O_DIRECTORY, O_RDONLY } from '../../kernel/syscalls/constants.ts'
import { bootId, children, isAlive, unlessGone } from '../../kernel/process/procfs.ts'
import { ended, endProcess, findProcess, send } from '../../kernel/process/signal.ts'
import { hint } from '../../common/suggest.ts'
import type { ExecFlags } from './containers.ts'
import { EXIT } from '../exit.ts'
import { printable, reportError, warn } from '../report-error.ts'

const KEEPER_PATIENCE = 20_000 // ms
/** How long it may hand on output before it is told to end, where nobody may want that any more: ms. */
const OUTPUT_PATIENCE = 2000

/** `minilab ps`: what is there, from the state files and the kernel. */
export function ps(flags: { all?: boolean; json?: boolean }): void {
  for (const id of damagedIds())
    warn(`the state of container ${id} is damaged: minilab rm -f ${id} removes it`)
  const rows = states().flatMap(state => {
    const up = isRunning(state)
    if (!up && !flags.all) return []
    const { id, name, image, command, created, ports, address, pid, exit } = state
    return [
      {
        id,
        name,
        image,
        command,
        status: up ? 'running' : status(exit),
        pid: up ? pid : null,
        created,
        ports,
        address,
      },
    ]
  })
  if (flags.json) return console.log(JSON.stringify(rows))
  const header = {
    id: 'ID',
    name: 'NAME',
    image: 'IMAGE',
    command: ['COMMAND'],
    status: 'STATUS',
    pid: 'PID',
    ports: ['PORTS'],
  }
  const cells = [header, ...rows].map(row => [
    row.id,
    row.name,
    row.image,
    shorten(row.command.join(' ')),
    row.status,
    String(row.pid ?? ''),
    row.ports.join(' '),
  ])
  for (const row of cells) row.forEach((cell, column) => void (row[column] = printable(cell)))
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map(row => row[column]!.length)))
  for (const row of cells)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
  if (rows.length === 0)
    process.stderr.write(
      asTyped(`no container ${flags.all ? 'is there' : 'runs'}: minilab run default /bin/sh starts one\n`),
    )
}

const shorten = (text: string) => (text.length > 30 ? `${text.slice(0, 29)}…` : text)
const status = (exit: State['exit']) => (exit ? `exited (${exit.status})` : 'ended by force')

/** `minilab exec`: resolves to the program's exit status. */
export async function exec(word: string, command: string[], flags: ExecFlags): Promise<number> {
  const state = findState(word)
  return shellStatus(await whileRunning(state, pidfd => join(state, pidfd, command, flags)))
}

async function join(state: State, pidfd: number, command: string[], flags: ExecFlags): Promise<Exit> {
  const { process: main } = state.spec
  if (isFrozenProcess(state.pid))
    throw new MinilabError(
      'usage',
      `${state.name} is paused (its cgroup is frozen)`,
      'thaw it first, or minilab kill it',
    )
  const account = flags.user === undefined ? undefined : await accountIn(state.pid, flags.user)
  process.title = 'minilab exec' // until its execve the program has our memory, and all in there could read our arguments
  const { home, ...ids } = account ?? { home: '', ...main.user }
  return execIn(
    state,
    pidfd,
    {
      ...main,
      args: command,
      env: environment(
        [...main.env, ...(account ? [`HOME=${home}`] : [])],
        [...(flags.tty ? [`TERM=${process.env.TERM ?? 'xterm'}`] : []), ...(flags.env ?? [])],
      ),
      cwd: flags.workdir === undefined ? main.cwd : workdir(flags.workdir),
      user: ids,
      rlimits: attainable(main.rlimits ?? []),
      ...(account && { capabilities: capabilitiesOf(ids.uid, main.capabilities?.bounding ?? []) }),
    },
    { interactive: flags.interactive ?? false, terminal: flags.tty ?? false },
  )
}

/** What `-u` means by the files of a container. */
async function accountIn(pid: number, text: string): Promise<Account> {
  using root = closing(await openInside(pid, '/', { flags: O_RDONLY | O_DIRECTORY | O_CLOEXEC }))
  return user(text, [`/proc/self/fd/${root.fd}`])
}

/** `minilab kill`: SIGKILL, or another by name or number. Resolves to the exit status. */
export async function kill(words: string[], name: string): Promise<number> {
  const number = signalNumber(name)
  return each(words, word => {
    const state = findState(word)
    const pidfd = running(state)
    if (pidfd === undefined)
      throw new MinilabError('usage', `${state.name} does not run`, 'minilab ps shows what does')
    using _ = closing(pidfd)
    send(pidfd, number)
    if (number === constants.signals.SIGKILL) thawOwn(state)
    console.log(state.name)
  })
}

/** Does it for each; what fails is said, and keeps the others from nothing. Resolves to the exit status of the last that failed. */
async function each(words: readonly string[], act: (word: string) => void | Promise<void>): Promise<number> {
  let status: number = EXIT.ok
  for (const word of words)
    try {
      await act(word)
    } catch (error) {
      status = reportError(error)
    }
  return status
}

function signalNumber(name: string): number {
  if (/^\d+$/.test(name) && Number(name) >= 1 && Number(name) <= 64) return Number(name)
  const full = name.toUpperCase().startsWith('SIG') ? name.toUpperCase() : `SIG${name.toUpperCase()}`
  const number = constants.signals[full as NodeJS.Signals]
  if (number !== undefined) return number
  throw new MinilabError(
    'usage',
    `there is no signal "${name}"`,
    hint(full, Object.keys(constants.signals), 'kill -l lists them'),
  )
}

/** `minilab rm`: the container's own layer, its state, its log. Resolves to the exit status. */
export async function rm(words: string[], force = false): Promise<number> {
  const damaged = damagedIds()
  const status = await each(words, async word =>
    console.log(damaged.includes(word) ? await removeDamaged(word, force) : await remove(word, force)),
  )
  await recover(dataFolder())
  return status
}

/** Takes a container away, with `force` also one that runs; resolves to its name. */
export async function remove(word: string, force: boolean): Promise<string> {
  const state = findState(word)
  if (isRunning(state)) {
    if (!force)
      throw new MinilabError('usage', `${state.name} still runs`, `minilab kill ${state.name}, or rm -f`)
    await endProcess(state.pid, state.started, () => thawOwn(state))
  }
  if (isKeptElsewhere(state))
    throw new MinilabError(
      'usage',
      `${state.name} runs in another pid namespace than ours`,
      'remove it there, where minilab ps shows it',
    )
  await keeperDone(state, force)
  removeTree(containerFolder(state.id))
  if (state.log) rmSync(state.log, { force: true })
  return state.name
}

/** On cgroup v1 nothing that is frozen dies. Without a cgroup of its own a container is in ours. */
function thawOwn({ id, pid }: State): void {
  const folders = unlessGone(() => cgroupOf(pid).folders) ?? []
  for (const { path } of folders) if (path.includes(id)) unlessGone(() => thawTree(path))
}

/** Whether a command that we cannot see, but whose ledger is locked, looks after its first process. */
function isKeptElsewhere({ pid, started, keeper, exit }: State): boolean {
  if (exit || isAlive(keeper.pid, keeper.started)) return false
  return heldByOwners(dataFolder()).some(
    entry => entry.kind === 'process' && entry.pid === pid && entry.started === started,
  )
}

/** Of a container without a state we know its folder, and from a ledger the process that looks after it, if there is one. */
async function removeDamaged(id: string, force: boolean): Promise<string> {
  const folder = containerFolder(id)
  if (!force)
    throw new MinilabError(
      'usage',
      `the state of ${id} is damaged, so it may still run`,
      `minilab rm -f ${id} removes it`,
    )
  const keeper = heldByLiving(dataFolder()).find(
    ({ entry }) => entry.kind === 'folder' && entry.path === folder,
  )
  if (keeper) {
    for (const pid of children(keeper.pid)) await endProcess(pid)
    await keeperDone({ name: id, keeper, boot: bootId() }, force)
  }
  removeTree(folder)
  return id
}

type Looked = Pick<State, 'name' | 'boot'> & { keeper: { pid: number; started?: number } }

/** Waits until whoever looks after a container has noted its end and taken back what was made for it. */
async function keeperDone({ name, keeper, boot }: Looked, force: boolean): Promise<void> {
  const pidfd = boot === bootId() ? findProcess(keeper.pid, keeper.started) : undefined
  if (pidfd === undefined) return
  using _ = closing(pidfd)
  // one whose reader does not read ends at a signal: Connection.finish
  if (force && !(await ended(pidfd, OUTPUT_PATIENCE))) send(pidfd, 'SIGTERM')
  if (await ended(pidfd, KEEPER_PATIENCE)) return
  if (!force)
    throw new MinilabError(
      'usage',
      `${name} has ended, and process ${keeper.pid} still hands on what it wrote`,
      `read its output, or minilab rm -f ${name}`,
    )
  // what it had made, its ledger knows, and whoever comes next takes it back
  warn(`process ${keeper.pid}, which looks after ${name}, does not end: it is killed`)
  send(pidfd, 'SIGKILL')
  await ended(pidfd)
}
