import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Ledger } from '../../container/ledger/ledger.ts'
import type { ListeningSocket } from '../../container/net/publish.ts'
import type { RunRequest } from '../../container/run/plan.ts'
import { dataFolder, makeDir } from '../../image/data-folder.ts'
import { Handover } from '../../kernel/process/handed.ts'
import { MinilabError } from '../../common/errors.ts'
import { needTasks, OURSELVES } from '../../kernel/process/need-tasks.ts'
import { EXIT } from '../exit.ts'
import { ourselves } from '../../common/ourselves.ts'
import { type Handed, RUN, WHY } from './handed.ts'
import { printId } from './print-id.ts'

/**
 * `-d` with the learner's parts: re-executes minilab in its own session, with a log file instead of the terminal. That process stays with the
 * container until it ends, because mistaken mounts may hide our paths from the process that makes the container. We wait for the
 * id; if the pipe is closed without one, the log says what is wrong. Resolves to the exit status.
 */
export async function detach(
  { listeningSockets }: Handed,
  notTakenBack: RunRequest['notTakenBack'],
): Promise<number> {
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

/** The id of a container whose program runs; or the exit status, with the reason if the log does not have it. */
type Started = { id: string } | { why: string | undefined; status: number }

/** Re-executes minilab; resolves when that process has reported whether the container runs. */
async function startInBackground(
  output: number,
  log: string,
  listeningSockets: ListeningSocket[],
): Promise<Started> {
  // descriptor 3 is the pipe for its answer, 4 holds what it is told; the listening sockets follow
  const begun: Handed = {
    notify: 3,
    log,
    listeningSockets: listeningSockets.map(({ port }, i) => ({ port, fd: 5 + i })),
  }
  using handed = new Handover(RUN.tell(begun))
  const [program, ...args] = ourselves()
  needTasks(OURSELVES)
  // not with execa: the process outlives us, and inherits descriptors
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', output, output, 'pipe', handed.fd, ...listeningSockets.map(({ fd }) => fd)],
    env: { ...process.env, MINILAB_DATA: dataFolder(), ...handed.env(4) },
  })
  closeSync(output)
  if (child.pid === undefined) throw ((await once(child, 'error')) as [Error])[0]
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  const answer = await text(child.stdio[3] as Readable)
  if (answer && !answer.startsWith(WHY)) {
    child.unref()
    return { id: answer }
  }
  const [status, signal] = await exited
  if (signal)
    throw new MinilabError(
      'machine',
      `process ${child.pid}, the keeper of the container, was killed by ${signal}`,
      'minilab clean removes what it had made',
    )
  return { why: answer ? answer.slice(WHY.length) : undefined, status: status ?? EXIT.failed }
}
