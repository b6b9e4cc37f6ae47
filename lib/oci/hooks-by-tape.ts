import { openSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { closing } from '../common/descriptor.ts'
import { recordJoin } from '../container/join.ts'
import type { Plan } from '../container/part.ts'
import { handOnStdio } from '../container/parts/process.ts'
import { Child } from '../kernel/process/child.ts'
import { memoryFile } from '../kernel/process/memory-file.ts'
import { CLOSE_RANGE_CLOEXEC, LAST_FD, PR_SET_PDEATHSIG, SIGKILL } from '../kernel/syscalls/constants.ts'
import { failure } from '../kernel/syscalls/failure.ts'
import { int32s, now } from '../kernel/syscalls/now.ts'
import { launch } from '../kernel/tape/launch.ts'
import { launchGated } from '../kernel/tape/launch-gated.ts'
import { Tape } from '../kernel/tape/tape.ts'
import { ending, failed, TIMEOUT } from './hooks.ts'
import { described, type Described, type Hook, type Status } from './state.ts'

// Hooks that a tape starts, as a container's program is started: each ends when we do, so a killed `create` leaves none behind.

type Kind = 'prestart' | 'createRuntime' | 'createContainer' | 'startContainer'

/** Starts a hook with its descriptors 0, 1 and 2. Throws if it cannot be executed. */
type Start = (
  hook: Required<Pick<Hook, 'path' | 'args' | 'env'>>,
  stdio: [number, number, number],
) => Promise<Child>

/** Where hooks run: in our own namespaces, */
export const onTheHost: Start = async ({ path, args, env }, stdio) => {
  const tape = new Tape()
  tape.part = 'hook'
  tape.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
  handOnStdio(tape, stdio)
  tape.close_range(3, LAST_FD, CLOSE_RANGE_CLOEXEC)
  tape.execve(path, args, env)
  const launched = launch(tape)
  const refused = failure(tape, await launched.replayed)
  const child = new Child(launched.pid(), launched.pidfd())
  if (!refused) return child
  await child.exit
  throw refused
}

/** or in those of a container's first process: with the paths of the host before it has changed its root, with its own after that. */
export const insideOf =
  (plan: Plan, pid: number): Start =>
  async ({ path, args, env }, stdio) => {
    using pidfd = closing(now.pidfd_open(pid, 0))
    const process = { args: [path, ...args.slice(1)], env, cwd: '/', user: { uid: 0, gid: 0 } }
    const joining = recordJoin({
      ...plan,
      spec: { ...plan.spec, process, linux: { namespaces: plan.spec.linux.namespaces } },
      diesWithUs: true,
      first: { pid, pidfd: pidfd.fd },
      stdio,
      terminal: false,
    })
    const { child, failed } = await launchGated(joining.tape, joining.gate, 0, [() => {}, () => {}])
    await child.exit
    if (failed) throw failed
    const [made = 0] = int32s(joining.pid)
    return new Child(made, now.pidfd_open(made, 0))
  }

/** Runs hooks, one after the other. Throws at the first that fails. `folder`: for what a hook prints. */
export async function runHooksByTape(
  kind: Kind,
  hooks: readonly Hook[] | undefined,
  state: Described,
  status: Status,
  { start, folder }: { start: Start; folder: string },
): Promise<void> {
  for (const hook of hooks ?? []) {
    const said = openSync(join(folder, 'said'), 'w+', 0o600)
    unlinkSync(join(folder, 'said'))
    using _ = closing(said)
    const why = await run(hook, JSON.stringify(described(state, status)), said, start)
    if (why) throw failed(kind, hook, why, readFileSync(`/proc/self/fd/${said}`, 'utf8'))
  }
}

/** Why it failed; undefined if it succeeded. */
async function run(
  { path, args = [path], env = [], timeout }: Hook,
  input: string,
  said: number,
  start: Start,
): Promise<string | undefined> {
  using stdin = closing(memoryFile('state', 'data')) // not a pipe, which holds 64 KiB: nothing reads yet
  writeSync(stdin.fd, input, 0)
  let hook: Child
  try {
    hook = await start({ path, args, env }, [stdin.fd, said, said])
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  let late = false
  const timer = timeout && setTimeout(() => (late = hook.kill('SIGKILL')), timeout * 1000)
  const exit = await hook.exit
  clearTimeout(timer || undefined)
  return late ? TIMEOUT : ending(exit.status, exit.signal)
}
