import { openSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { closing } from '../common/descriptor.ts'
import { recordJoin } from '../container/join.ts'
import type { Plan } from '../container/part.ts'
import { Child } from '../kernel/process/child.ts'
import { memoryFile } from '../kernel/process/memory-file.ts'
import { int32s, now } from '../kernel/syscalls/now.ts'
import { launchGated } from '../kernel/tape/launch-gated.ts'
import { ending, failed, TIMEOUT } from './hooks.ts'
import { described, type Described, type Hook, type Status } from './state.ts'

type Inside = 'createContainer' | 'startContainer'

/**
 * Runs hooks in the namespaces of a container's first process: with the paths of the host before it has changed its root, with its own
 * after that. Throws at the first that fails. `folder`: for what a hook prints.
 */
export async function runHooksInside(
  kind: Inside,
  hooks: readonly Hook[] | undefined,
  state: Described,
  status: Status,
  plan: Plan,
  folder: string,
): Promise<void> {
  for (const hook of hooks ?? []) {
    const said = openSync(join(folder, 'said'), 'w+', 0o600)
    unlinkSync(join(folder, 'said'))
    using _ = closing(said)
    const why = await runInside(hook, JSON.stringify(described(state, status)), plan, state.pid, said)
    if (why) throw failed(kind, hook, why, readFileSync(`/proc/self/fd/${said}`, 'utf8'))
  }
}

/** Why it failed; undefined if it succeeded. */
async function runInside(
  { path, args = [path], env = [], timeout }: Hook,
  input: string,
  plan: Plan,
  pid: number,
  said: number,
): Promise<string | undefined> {
  using pidfd = closing(now.pidfd_open(pid, 0))
  using stdin = closing(memoryFile('state', 'data')) // not a pipe, which holds 64 KiB: nothing reads yet
  writeSync(stdin.fd, input, 0)
  const process = { args: [path, ...args.slice(1)], env, cwd: '/', user: { uid: 0, gid: 0 } }
  const joining = recordJoin({
    ...plan,
    spec: { ...plan.spec, process, linux: { namespaces: plan.spec.linux.namespaces } },
    diesWithUs: true,
    first: { pid, pidfd: pidfd.fd },
    stdio: [stdin.fd, said, said],
    terminal: false,
  })
  const { child, failed } = await launchGated(joining.tape, joining.gate, 0, [() => {}])
  await child.exit
  const [made = 0] = int32s(joining.pid)
  if (failed) return failed.message
  const hook = new Child(made, now.pidfd_open(made, 0))
  let late = false
  const timer = timeout && setTimeout(() => (late = hook.kill('SIGKILL')), timeout * 1000)
  const exit = await hook.exit
  clearTimeout(timer || undefined)
  return late ? TIMEOUT : ending(exit.status, exit.signal)
}
