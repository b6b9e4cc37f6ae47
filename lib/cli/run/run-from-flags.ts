import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Sandbox } from '../../sandbox/sandbox.ts'
import { runInSandbox } from '../../sandbox/start.ts'
import { Ledger, recover } from '../../container/ledger/ledger.ts'
import { listen, type ListeningSocket } from '../../container/net/publish.ts'
import type { RunRequest } from '../../container/run/request.ts'
import { runContainer } from '../../container/run/run.ts'
import { port } from '../../container/run/options.ts'
import { dataFolder, makeDir } from '../../image/data-folder.ts'
import { closing } from '../../common/descriptor.ts'
import { codeOf } from '../../common/error-code.ts'
import { Handover } from '../../kernel/process/handed.ts'
import { shellStatus } from '../../kernel/process/child.ts'
import { MinilabError } from '../../common/errors.ts'
import { needTasks, OURSELVES } from '../../kernel/process/need-tasks.ts'
import { EXIT } from '../exit.ts'
import { lineOf, warn } from '../report-error.ts'
import { ourselves } from '../../common/ourselves.ts'
import { type Handed, RUN } from './handed.ts'
import { requestFrom } from './request-from.ts'
import type { RunFlags } from './run.ts'

/** What whoever asks for it should know. */
const OPENS =
  'CAP_SYS_ADMIN lets the container administer what the kernel has no other capability for, such as quotas and devices; ' +
  'mounting stays refused, for it would uncover what is hidden of /proc and /sys'

const UNCHECKED =
  '--unsafe runs your parts without their checks: if they do not change the root, the program works on this machine’s own root, with your rights'

/** Checks everything that was asked for, and then runs it: here, in the sandbox, or in the background. Resolves to the exit status. */
export async function runFromFlags(image: string, command: string[], flags: RunFlags): Promise<number> {
  const begun = RUN.told
  const request: RunRequest = { ...requestFrom(image, command, flags), notTakenBack }
  if (!begun && flags.unsafe) warn(UNCHECKED)
  else if (!begun && flags.mine) await (await import('./run-mine.ts')).refuseUnproven(flags.rootless ?? false)
  if (!begun && request.capabilities.includes('CAP_SYS_ADMIN')) warn(OPENS)
  const handed = begun ?? { listeningSockets: (flags.publish ?? []).map(text => listen(port(text))) }
  if (flags.detach && handed.notify === undefined) return detach(handed)
  try {
    return await runHere(request, flags, handed)
  } catch (error) {
    if (handed.notify !== undefined) tell(handed.notify, WHY + lineOf(error)) // our log may have no room for it
    throw error
  }
}

/** In this process, or in one of ours in the sandbox or with mounts that reach nobody. */
async function runHere(request: RunRequest, flags: RunFlags, handed: Handed): Promise<number> {
  const { notify, log, listeningSockets, keeper } = handed
  const needsSandbox =
    request.rootless && request.network === 'bridge' && process.env.MINILAB_SANDBOX === undefined
  if (flags.mine && keeper === undefined && (needsSandbox || process.geteuid?.() === 0))
    return keep(handed, needsSandbox)
  if (needsSandbox) return again(handed, { kind: 'network' })
  if (log !== undefined) request.log = log
  if (notify !== undefined)
    request.onStarted = id => {
      delete handed.notify
      tell(notify, id, log)
      process.chdir('/') // its file system can be unmounted, however long the container runs
    }
  if (keeper !== undefined) request.keeper = keeper
  const runIt = flags.mine ? (await import('./run-mine.ts')).runMine : runContainer
  return runIt({ ...request, listeningSockets })
}

/**
 * Has the learner's parts put to work by ourselves once more, where what they mount by mistake reaches nobody; takes back what
 * is left when that process has ended, and its mounts with it: else we might remove, below one of them, what is not ours.
 */
async function keep(handed: Handed, needsSandbox: boolean): Promise<number> {
  await recover(dataFolder(), [], notTakenBack)
  const status = await again(
    { ...handed, keeper: process.pid },
    { kind: needsSandbox ? 'network' : 'mounts' },
  )
  delete handed.notify // that process had it, and has closed ours
  await recover(dataFolder(), [], notTakenBack)
  return status
}

/** What cannot be taken back now keeps no container from running, and changes no exit status. */
const notTakenBack = (error: unknown) =>
  void process.stderr.write(lineOf(error).replace('minilab: ', 'minilab: something is left of a container: '))

/** What begins the reason why there is no id. */
const WHY = '!'

/** Says the id, or why there is none, to whoever started us. Who is gone by now has not heard it, and nobody will read the log: throws. */
function tell(notify: number, message: string, log?: string): void {
  using _ = closing(notify)
  try {
    writeSync(notify, message)
  } catch (error) {
    if (log !== undefined && codeOf(error) === 'EPIPE') rmSync(log, { force: true })
    throw error
  }
}

/** The same command line by ourselves again, in the sandbox or in other namespaces; listening sockets go along. */
async function again(handed: Handed, sandbox: Sandbox): Promise<number> {
  const keep = [
    ...handed.listeningSockets.map(({ fd }) => fd),
    ...(handed.notify === undefined ? [] : [handed.notify]),
  ]
  const env = { ...process.env, MINILAB_DATA: dataFolder() }
  const ended = runInSandbox(sandbox, { args: ourselves(), env, keep, told: RUN.tell(handed) })
  return shellStatus(await ended)
}

/**
 * `-d`: ourselves once more, in a session of its own, with a log file in place of the terminal. It stays with the
 * container until that ends. We wait for the id; if the pipe is closed without one, its log says what is wrong.
 */
async function detach({ listeningSockets }: Handed): Promise<number> {
  const log = join(dataFolder(), 'logs', `${process.pid}-${Date.now()}.log`)
  const ledger = new Ledger(dataFolder())
  try {
    ledger.add({ kind: 'file', path: log, unless: 'named' })
    makeDir(dirname(log), 0o700)
    const started = await startInBackground(openSync(log, 'a', 0o600), log, listeningSockets)
    if ('id' in started) return await printId(started.id)
    process.stderr.write(started.why ?? readFileSync(log, 'utf8'))
    return started.status
  } finally {
    await ledger.settle().catch(notTakenBack)
  }
}

/** One whose id could not be told is taken away again; why, `main` says, as of all that we print. Who reads no more wants no id. */
async function printId(id: string): Promise<number> {
  const goOn = () => undefined // with a listener for SIGPIPE we are not ended where the id cannot be written: unwritable.ts
  process.on('SIGPIPE', goOn)
  try {
    const error = await new Promise<Error | null | undefined>(done => process.stdout.write(`${id}\n`, done))
    if (codeOf(error) === 'EPIPE') return 128 + constants.signals.SIGPIPE
    if (error) await (await import('../containers/remove.ts')).remove(id, true)
    return EXIT.ok // unwritable.ts has set another one where there was an error
  } finally {
    process.off('SIGPIPE', goOn)
  }
}

/** The id of a container whose program runs; or why it does not run, where its log does not say that, and the exit status. */
type Started = { id: string } | { why: string | undefined; status: number }

/** Starts ourselves once more; resolves when that process has said what became of the container. */
async function startInBackground(
  output: number,
  log: string,
  listeningSockets: ListeningSocket[],
): Promise<Started> {
  // descriptor 3 is the pipe by which it answers, 4 what it is told; the listening sockets follow
  const begun: Handed = {
    notify: 3,
    log,
    listeningSockets: listeningSockets.map(({ port }, i) => ({ port, fd: 5 + i })),
  }
  using handed = new Handover(RUN.tell(begun))
  const [program, ...args] = ourselves()
  needTasks(OURSELVES)
  // not by execa: it outlives us, and inherits descriptors
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', output, output, 'pipe', handed.fd, ...listeningSockets.map(({ fd }) => fd)],
    env: { ...process.env, MINILAB_DATA: dataFolder(), ...handed.env(4) },
  })
  closeSync(output)
  if (child.pid === undefined) throw ((await once(child, 'error')) as [Error])[0]
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const said = await text(child.stdio[3] as Readable)
  if (said && !said.startsWith(WHY)) {
    child.unref()
    return { id: said }
  }
  const [status, signal] = await exited
  if (signal)
    throw new MinilabError(
      'machine',
      `process ${child.pid}, which was to look after the container, was killed by ${signal}`,
      'minilab clean takes back what it had made',
    )
  return { why: said ? said.slice(WHY.length) : undefined, status: status ?? EXIT.failed }
}
