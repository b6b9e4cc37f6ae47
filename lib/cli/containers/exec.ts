import { attainable } from '../../container/callers-rlimits.ts'
import { execIn, whileRunning } from '../../container/exec.ts'
import { capabilitiesOf, environment, refuseNoTerminal, workdir } from '../../container/run/options.ts'
import { findState } from '../../container/state/state.ts'
import type { ProcessSpec } from '../../container/spec.ts'
import type { State } from '../../container/state/state-shape.ts'
import { type Account, user } from '../../container/user.ts'
import { type Exit, shellStatus } from '../../kernel/process/child.ts'
import { isFrozenProcess } from '../../kernel/cgroup/cgroup.ts'
import { closing } from '../../common/descriptor.ts'
import { MinilabError } from '../../common/errors.ts'
import { openInside } from '../../kernel/mount/open-inside.ts'
import { O_CLOEXEC, O_DIRECTORY, O_RDONLY } from '../../kernel/syscalls/constants.ts'
import type { ExecFlags } from './containers.ts'

/** `minilab exec`: resolves to the program's exit status. */
export async function exec(word: string, command: string[], flags: ExecFlags): Promise<number> {
  refuseNoTerminal(flags)
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
  const account = flags.user ? await accountIn(state.pid, flags.user) : undefined // -u "" is the container's user
  process.title = 'minilab exec' // until its execve the program has our memory, and every process in the container could read our arguments
  const { home, ...ids } = account ?? { home: undefined, ...main.user }
  return execIn(
    state,
    pidfd,
    {
      ...main,
      args: command,
      env: environment(
        [...main.env.filter(isNotOurTerminals(main)), ...(home && !state.hasOwnHome ? [`HOME=${home}`] : [])],
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

/** TERM describes the terminal that `run -t` made; this program has a different one, or none. */
const isNotOurTerminals =
  ({ terminal }: Pick<ProcessSpec, 'terminal'>) =>
  (entry: string) =>
    !(terminal && entry.startsWith('TERM='))

/** What `-u` means according to the container's own files. */
async function accountIn(pid: number, text: string): Promise<Account> {
  using root = closing(await openInside(pid, '/', { flags: O_RDONLY | O_DIRECTORY | O_CLOEXEC }))
  return user(text, [`/proc/self/fd/${root.fd}`])
}
