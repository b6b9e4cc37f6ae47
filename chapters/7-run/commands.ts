import { closeSync } from 'node:fs'
import { monitorTape } from '../../lib/container/monitor.ts'
import { containerFolder } from '../../lib/container/state/state.ts'
import type { Experiment } from '../../lib/guide/experiment.ts'
import { type Answer, ownCommand } from '../../lib/guide/own-command.ts'
import {
  type Namespace,
  namespaceInode,
  nsPids,
  parentOf,
  startTime,
  status,
  unlessGone,
  nulSeparated,
} from '../../lib/kernel/process/procfs.ts'
import { ended, findProcess } from '../../lib/kernel/process/signal.ts'

/** What setns(2) can join of a container, in the order in which `exec` is asked for it. */
export const JOINED: readonly Namespace[] = ['user', 'pid', 'mnt', 'uts', 'ipc', 'net', 'cgroup']

/** A container in the background, as ps and as the kernel shows it. */
interface Listed {
  id: string
  name: string
  pid: number
  /** the pids of its first process in each pid namespace, outermost first */
  pids: number[]
  /** the namespaces that it is in: `mnt:[4026532259]` */
  namespaces: string[]
}

/** The answers of the commands. */
export interface Ran extends Answers {
  memory: number
}
interface Answers {
  run: Answer
  listed: Listed | undefined
  exec: Answer
  killed: Answer
  /** whether its first process had ended after that */
  ended: boolean
  /** whether `ps -a` still lists it after `rm` */
  left: boolean
}

const silent: Answer = { status: null, output: '' }

/** The values before any command is run. */
export const unasked = (): Answers => ({
  run: silent,
  listed: undefined,
  exec: silent,
  killed: silent,
  ended: false,
  left: true,
})

export const WHERE = `for kind in ${JOINED.join(' ')}; do readlink /proc/self/ns/$kind; done`

/** The title of the stage in which they are run. */
export const COMMANDS = 'The same from the command line'

/** What is typed after `minilab`, by purpose; `name` is the name of the container in the background. */
export const commands = {
  run: (): string[] => ['run', '--rm', 'default', 'sh', '-c', 'echo I am process $$; exit 7'],
  start: (name: string) => ['run', '-d', '--name', name, 'default', 'sleep', '1000'],
  exec: (name: string) => ['exec', name, 'sh', '-c', WHERE],
  kill: (name: string) => ['kill', name],
  remove: (name: string) => ['rm', '-f', name],
}

const END_TIMEOUT = 5000 // ms: SIGKILL takes one or two when no other process wants the CPU

/** One container that runs to its end, and one in the background that is joined, killed and removed. */
export async function byCommandLine(experiment: Experiment<Ran>, type: typeof commands): Promise<void> {
  const { scene, id, ledger } = experiment
  const line = (text: string) => experiment.line(text)
  const name = `step7-${id}`
  scene.run = await ownCommand(line, type.run())
  try {
    await ownCommand(line, type.start(name))
    const found = (await list('ps')).find(row => row.name === name)
    if (found) {
      // it outlives its command, but must not outlive us, even if we are killed
      ledger.add({ kind: 'folder', path: containerFolder(found.id) })
      ledger.add({ kind: 'process', pid: found.pid, started: startTime(found.pid) })
      for (const text of unlessGone(() => monitorOf(found.pid)) ?? []) line(text)
      scene.listed = { ...found, pids: nsPids(found.pid), namespaces: namespacesOf(found.pid) }
    }
    const pidfd = found && findProcess(found.pid)
    scene.exec = await ownCommand(line, type.exec(name))
    scene.killed = await ownCommand(line, type.kill(name))
    if (pidfd !== undefined) {
      scene.ended = await ended(pidfd, END_TIMEOUT)
      closeSync(pidfd)
    }
    await ownCommand(line, type.remove(name))
    scene.left = (await list('ps', '-a')).some(row => row.name === name)
  } finally {
    if (scene.left) await ownCommand(undefined, ['rm', '-f', name])
  }
}

/** The container's parent if it is a monitor: how much memory it has, and what it does when the container has ended. */
function monitorOf(pid: number): string[] {
  const tape = monitorTape({ program: { args: [], env: [] } })
  const lines = tape.print()
  const from = lines.findIndex(text => text.startsWith('waitid')) - 1 // with its note
  const to = lines.findIndex(text => text.startsWith('writev'))
  const monitor = parentOf(pid)
  if (nulSeparated(`/proc/${monitor}/cmdline`)[0] !== 'minilab-monitor') return []
  return [
    `      process ${monitor} stays as its parent, the monitor: it is a tape too, of ${tape.ops.length} calls (${status(monitor).VmRSS} of memory); three of them:`,
    ...lines.slice(from, to + 1).map(text => `        ${text}`),
    '      minilab run -d --show-monitor default true shows all of it',
  ]
}

async function list(...command: string[]): Promise<{ id: string; name: string; pid: number }[]> {
  const { output } = await ownCommand(undefined, [...command, '--json'])
  return JSON.parse(output) as { id: string; name: string; pid: number }[]
}

const namespacesOf = (pid: number) => JOINED.map(kind => `${kind}:[${namespaceInode(pid, kind)}]`)
