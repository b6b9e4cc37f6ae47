import { Console } from 'node:console'
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { Writable } from 'node:stream'
import { certain } from '../../common/certain.ts'
import { MinilabError } from '../../common/errors.ts'
import { ourselves } from '../../common/ourselves.ts'
import type { Part } from '../../container/part.ts'
import { exercises } from '../../cli/exercises.ts'
import { shellStatus } from '../../kernel/process/child.ts'
import { Subject } from '../../kernel/process/handed.ts'
import { inFirstUserNamespace } from '../../kernel/process/procfs.ts'
import { listedParts, namingLines, ownWorkspace } from '../../labs/own-parts.ts'
import { readProgress } from '../../labs/progress.ts'
import { isProven } from '../../labs/proven.ts'
import { fileOf, type Workspace } from '../../labs/workspace.ts'
import { runInSandbox } from '../../sandbox/start.ts'
import type { Call, Run } from '../commands.ts'
import { makeFolder, preserved } from '../create.ts'
import { removeContainer } from '../remove.ts'
import { folderOf, isRecorded } from '../state.ts'
import { arrange } from './arrange.ts'

/** Told to ourselves in a private mount namespace: the process around it has made the container's folder. */
const KEPT = new Subject<true>('kept')

/**
 * `minilab-oci --mine`: a command that makes a container, with the learner's parts. As in `run --mine`, only parts run that have passed
 * their checks since they were changed; and for root in a private mount namespace, where a mistaken mount reaches no other process.
 */
export async function withOwnParts(call: Call, run: Run, named: string | undefined): Promise<number> {
  const isKept = KEPT.told ?? false
  if (named !== undefined) process.env.MINILAB_WORKSPACE = resolve(named)
  const workspace = ownWorkspace()
  refuseUnproven(workspace)
  if (!isKept && process.geteuid?.() === 0) return keep(call)
  quieten(call)
  const parts = await listedParts(workspace, await certain(exercises.at(-1)).load())
  return ownErrors(run, { ...call, mine: { arrange: withParts(parts), keeper: isKept } })
}

const withParts =
  (parts: readonly Part[]): NonNullable<Call['mine']>['arrange'] =>
  (added, plan) =>
    arrange(parts, added, plan)

/** An engine waits for us, so nothing is checked now; and there is no --unsafe, as its user need not be the learner. */
function refuseUnproven(workspace: Workspace): void {
  const isMapped = !inFirstUserNamespace()
  const progress = readProgress(workspace)
  for (const lab of exercises) {
    const file = fileOf(workspace, lab)
    if (!existsSync(file))
      throw new MinilabError('usage', `${file} is missing`, `minilab lab ${lab.number} makes it`)
    if ([false, isMapped].some(rootless => isProven(progress, workspace, lab, { rootless }))) continue
    throw new MinilabError(
      'usage',
      `${file} has not passed its checks ${isMapped ? '' : 'as root '}since its last change`,
      `${isMapped ? '' : 'sudo '}minilab check ${lab.number}`,
    )
  }
}

/**
 * Runs the same command line in a private mount namespace, and takes back what a failed one leaves: after that process has ended, and its
 * mounts are gone. Otherwise we might remove, below a mistaken mount, files that are not ours.
 */
async function keep({ root, flags, args: [id = ''] }: Call): Promise<number> {
  const folder = folderOf(root, id)
  makeFolder(root, folder)
  const { ino } = statSync(folder)
  const count = preserved(flags.value('preserve-fds'))
  try {
    const exit = await runInSandbox(
      { kind: 'mounts' },
      {
        args: ourselves(undefined, process.execArgv),
        env: process.env,
        keep: Array.from({ length: count }, (_, i) => 3 + i),
        told: KEPT.tell(true),
      },
    )
    if (exit.signal) throw new MinilabError('machine', `${exit.signal} ended it while your parts ran`, '')
    return shellStatus(exit)
  } finally {
    const isOurs = statSync(folder, { throwIfNoEntry: false })?.ino === ino
    if (isOurs && !isRecorded(root, id)) await removeContainer(root, folder)
  }
}

/** Its descriptors 1 and 2 are the container's: what learners' code prints goes to the log. */
function quieten({ warn }: Call): void {
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      for (const line of chunk.toString().trimEnd().split('\n')) warn(line)
      done()
    },
  })
  for (const name of ['stdout', 'stderr']) Object.defineProperty(process, name, { value: stream })
  globalThis.console = new Console({ stdout: stream, stderr: stream })
}

/** Does the command. What the kernel refused of the learner's calls is said with their line, and that they ended us. */
async function ownErrors(run: Run, call: Call): Promise<number> {
  let isOver = false
  process.once('exit', () => {
    if (isOver) return
    call.fail(
      'your code ended minilab-oci before the container was made: does it call process.exit, or await what never happens?',
    )
    process.exitCode = 1
  })
  try {
    return (await namingLines(() => run(call))) ?? 0
  } finally {
    isOver = true
  }
}
