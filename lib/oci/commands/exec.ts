import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { certain } from '../../common/certain.ts'
import { replaceFile } from '../../common/replace-file.ts'
import { MinilabError } from '../../common/errors.ts'
import { closing } from '../../common/descriptor.ts'
import { openTerminal } from '../../container/exec.ts'
import { type Joining, recordJoin } from '../../container/join.ts'
import { Ledger } from '../../container/ledger/ledger.ts'
import { setOomScore } from '../../container/parts/hardening.ts'
import type { ProcessSpec } from '../../container/spec.ts'
import { startError } from '../../container/start-error.ts'
import type { Stdio } from '../../container/streams/streams.ts'
import { Child, shellStatus } from '../../kernel/process/child.ts'
import { parseCapability } from '../../kernel/process/capabilities.ts'
import { findProcess } from '../../kernel/process/signal.ts'
import { int32s, now } from '../../kernel/syscalls/now.ts'
import type { Launched } from '../../kernel/tape/launch.ts'
import { launchGated } from '../../kernel/tape/launch-gated.ts'
import type { Later } from '../../kernel/tape/tape.ts'
import type { Flags } from '../command-line.ts'
import type { Call } from '../commands.ts'
import { type Config, id, readProcess } from '../config.ts'
import { checkConsole, sendTerminal } from '../console.ts'
import { cgroupOf } from '../freeze.ts'
import { setHome } from '../plan.ts'
import { sendListener } from '../listener.ts'
import { connectTo, sendPidfd } from '../send-descriptor.ts'
import { ourStdio } from '../stdio.ts'
import { inRuncsWords } from '../words.ts'
import { folderOf, load, type State, statusOf } from '../state.ts'
import { traced } from '../traced.ts'

export async function run({ root, flags, args: [id = '', ...words], debug }: Call): Promise<number> {
  const state = load(root, id)
  checkStatus(statusOf(root, state), flags)
  const config = JSON.parse(readFileSync(join(folderOf(root, id), 'config.json'), 'utf8')) as Config
  const program = processOf(flags, words, config.process)
  program.oomScoreAdj = config.process.oomScoreAdj // as with runc, whatever the FILE says
  setHome(program, state.rootfs)
  const console = flags.value('console-socket')
  checkConsole(program.terminal ?? false, console)
  const pidfd = findProcess(state.pid, state.started)
  if (pidfd === undefined) throw stopped()
  using _ = closing(pidfd)
  const pair = program.terminal ? await openTerminal(state.pid, program.consoleSize) : undefined
  if (pair && console) sendTerminal(console, pair.master)
  const joining: Joining & { stdio: Stdio } = {
    id,
    spec: { ...config, process: program },
    rootfs: '/',
    ledger: new Ledger(root),
    diesWithUs: false,
    first: { pid: state.pid, pidfd },
    stdio: pair ? [pair.slave, pair.slave, pair.slave] : ourStdio(),
    terminal: pair !== undefined,
  }
  const pidfdSocket = flags.value('pidfd-socket')
  using socket = pidfdSocket === undefined ? undefined : connectTo(pidfdSocket)
  const pid = await start(state, joining, debug)
  if (socket) sendPidfd(socket, 'setns', pid)
  const pidFile = flags.value('pid-file')
  if (pidFile !== undefined) replaceFile(pidFile, String(pid), { mode: 0o644, sync: false })
  if (flags.has('detach')) return 0 // our parent, or the subreaper above it, waits for it
  return shellStatus(await new Child(pid, now.pidfd_open(pid, 0)).exit)
}

const stopped = () => new MinilabError('usage', 'cannot exec in a stopped container', 'start another')

function checkStatus(status: ReturnType<typeof statusOf>, flags: Flags): void {
  if (status === 'stopped') throw stopped()
  if (status === 'paused' && !flags.has('ignore-paused'))
    throw new MinilabError(
      'usage',
      'cannot exec in a paused container (use --ignore-paused to override)',
      'resume it',
    )
  const preserved = flags.value('preserve-fds')
  if (preserved !== undefined && preserved !== '0')
    throw new MinilabError('usage', 'exec cannot preserve descriptors', 'leave out --preserve-fds')
}

/** A uid or gid of a flag; names are for the engine to look up, as with runc. */
function idOf(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : -1
  if (id(number)) return number
  throw new MinilabError('usage', `${JSON.stringify(text)} is no user id or group id`, 'give a number')
}

function workdirOf(flags: Flags): string | undefined {
  const cwd = flags.value('cwd')
  if (cwd === undefined || cwd.startsWith('/')) return cwd
  throw new MinilabError('usage', 'exec failed: Cwd must be an absolute path', '')
}

/** The process of a file, or the container's own with another command. */
function processOf(flags: Flags, words: string[], own: ProcessSpec): ProcessSpec {
  const file = flags.value('process')
  if (file !== undefined) return readProcess(file)
  if (words.length === 0) throw new MinilabError('usage', 'process args cannot be empty', 'name a program')
  const [uid, gid] = flags.value('user')?.split(':').map(idOf) ?? []
  const capabilities = flags.values('cap').flatMap(parseCapability)
  const added = (set: string[] = []) => [...new Set([...set, ...capabilities])]
  return {
    ...own,
    args: words,
    terminal: flags.has('tty'),
    cwd: workdirOf(flags) ?? own.cwd,
    env: [...own.env, ...flags.values('env')],
    user: {
      ...own.user,
      ...(flags.value('user') !== undefined && { uid: uid ?? 0, gid: gid ?? own.user.gid }),
      additionalGids: [...(own.user.additionalGids ?? []), ...flags.values('additional-gids').map(idOf)],
    },
    ...(own.capabilities && {
      capabilities: {
        ...own.capabilities,
        bounding: added(own.capabilities.bounding),
        effective: added(own.capabilities.effective),
        permitted: added(own.capabilities.permitted),
      },
    }),
    ...(flags.has('no-new-privs') && { noNewPrivileges: true }),
  }
}

/** Starts it; returns its pid. It is then a child of ours. */
async function start(
  state: State,
  joining: Joining & { stdio: Stdio },
  debug: Call['debug'],
): Promise<number> {
  const { tape, gate, pid, listener } = recordJoin(joining)
  const cgroup = cgroupOf(state)
  const joined = await launchGated(tape, gate, 0, [
    () => {},
    launched => {
      const second = launched.pidIn(pid)
      cgroup.join(second)
      setOomScore(joining.spec.process, second)
    },
    ...(listener ? [(launched: Launched) => passOn(listener, launched, pid, state, joining)] : []),
  ])
  await joined.child.exit
  for (const call of joined.tape) debug(traced(call))
  const [made = 0] = int32s(pid)
  if (!joined.failed && made) return made
  // one that could not become the program is a zombie of ours
  if (made && findProcess(made) === undefined) await reaped(made)
  throw joined.failed ? refused(joining.spec.process, joined.tape, joined.failed) : stopped()
}

/** Its filter leaves calls to another program. */
function passOn(listener: Later, launched: Launched, pid: Uint8Array, state: State, { spec }: Joining): void {
  const made = launched.pidIn(pid)
  using pidfd = closing(now.pidfd_open(made, 0))
  using copy = closing(now.pidfd_getfd(pidfd.fd, launched.result(listener), 0))
  sendListener(certain(spec.linux.seccomp), state, 'running', made, copy.fd)
}

async function reaped(pid: number): Promise<void> {
  try {
    await new Child(pid, now.pidfd_open(pid, 0)).exit
  } catch {
    // the kernel has no such process any more
  }
}

type Joined = Awaited<ReturnType<typeof launchGated>>

function refused(program: ProcessSpec, tape: Joined['tape'], failed: NonNullable<Joined['failed']>): Error {
  const error = inRuncsWords(startError(program, tape, failed), program)
  const { message } = error as Error
  const text = message.startsWith(START) ? message : `${START}${message}`
  return new MinilabError('usage', `exec failed: ${text}`, '', { cause: error })
}

const START = 'unable to start container process: '
