import { constants, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { certain } from '../common/certain.ts'
import { codeOf } from '../common/error-code.ts'
import { closing } from '../common/descriptor.ts'
import { MinilabError } from '../common/errors.ts'
import { isGone, startTime } from '../kernel/process/procfs.ts'
import type { Call } from './commands.ts'
import type { Config } from './config.ts'
import { folderOf, lives, load, startFifo, type State, statusOf } from './state.ts'

/** Lets the program of a created container run; resolves when it does. Exactly one command can do so. */
export async function startContainer({ root, warn, debug, debugging }: Call, id: string): Promise<void> {
  const state = load(root, id)
  const folder = folderOf(root, id)
  const fifo = claim(root, state)
  const { O_WRONLY, O_NONBLOCK } = constants
  using result = closing(openResult(join(folder, 'result')))
  {
    using start = closing(openStart(fifo, O_WRONLY | O_NONBLOCK))
    await before(state, folder)
    writeSync(start.fd, 's')
  }
  readFileSync(result.fd) // until the child has executed its program, or has ended
  if (debugging) for (const line of await secondStage(folder)) debug(line)
  const refused = await refusal(folder)
  if (!refused) return await after(state, warn)
  await untilGone(state)
  throw refused
}

/** The FIFO under our name, which no other command can then take. */
function claim(root: string, state: State): string {
  const fifo = startFifo(root, state)
  const ours = join(folderOf(root, state.id), `start.${process.pid}-${startTime('self')}`)
  try {
    if (fifo && lives(state)) {
      renameSync(fifo, ours)
      return ours
    }
  } catch (error) {
    if (!isGone(error)) throw error // another command was faster
  }
  const status = statusOf(root, state)
  throw new MinilabError(
    'usage',
    status === 'stopped'
      ? 'cannot start a container that has stopped'
      : 'cannot start an already running container',
    'create another',
  )
}

function openStart(path: string, flags: number): number {
  try {
    return openSync(path, flags)
  } catch (error) {
    if (codeOf(error) !== 'ENXIO') throw error
    throw new MinilabError('usage', 'container not running', 'it ended before it was started')
  }
}

/**
 * The FIFO whose other end the child has open until it executes its program, opened before that. fifo(7): an open for reading waits for a
 * writer, unless it is non-blocking; and a non-blocking one does for writing, which needs a reader.
 */
function openResult(path: string): number {
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = constants
  using _reader = closing(openSync(path, O_RDONLY | O_NONBLOCK))
  using _writer = closing(openSync(path, O_WRONLY | O_NONBLOCK))
  return openSync(path, O_RDONLY)
}

/** The words of a tape: lib/kernel/tape/launchpad.ts, lib/kernel/tape/tape-file.ts. They are read here without loading those. */
const OP = { size: 128, result: 56, min: 64, stamp: 88, allowed: 96 }
const BASE = 0x10000000n
const NOT_RUN = -(2n ** 63n)

/** The calls that the second stage has made, with their results and when each began. */
function reached(folder: string): { call: string; result: bigint; stamp: bigint }[] {
  const tape = readFileSync(join(folder, 'tape'))
  const calls = JSON.parse(readFileSync(join(folder, 'calls'), 'utf8')) as string[]
  const first = Number(tape.readBigUInt64LE(0) - BASE)
  const all = calls.map((call, i) => {
    const at = first + i * OP.size
    return { call, result: tape.readBigInt64LE(at + OP.result), stamp: tape.readBigUInt64LE(at + OP.stamp) }
  })
  return all.filter(({ stamp }) => stamp !== 0n)
}

/** The same for --debug, as of the first stage. The last call has no end. */
async function secondStage(folder: string): Promise<string[]> {
  const { errnoName } = await import('../common/errno.ts')
  const { nsPerTick } = await import('../kernel/tape/clock.ts')
  const { tracedText } = await import('./traced.ts')
  const calls = reached(folder)
  return calls.map(({ call, result, stamp }, i) => {
    const ticks = (calls[i + 1]?.stamp ?? stamp) - stamp
    const said = result === NOT_RUN ? '?' : result < 0n ? `-1 ${errnoName(Number(-result))}` : `${result}`
    return tracedText(call, said, Number(ticks) * nsPerTick())
  })
}

/** The call of the second stage that the kernel refused; undefined if the program was executed. */
async function refusal(folder: string): Promise<Error | undefined> {
  const { call, result } = certain(reached(folder).at(-1))
  if (result === NOT_RUN) return undefined
  const { errnoMeaning } = await import('../common/errno.ts')
  const why = errnoMeaning(Number(-result))
  const [, path] = /^execve\(("(?:[^"\\]|\\.)*")/.exec(call) ?? []
  return new MinilabError(
    'usage',
    path
      ? `unable to start container process: exec ${path}: ${why}`
      : `unable to start container process: ${call}: ${why}`,
    '',
  )
}

/** The process exits: an engine that deletes the container now must not find it running. */
async function untilGone(state: State): Promise<void> {
  const { ended, findProcess } = await import('../kernel/process/signal.ts')
  const pidfd = findProcess(state.pid, state.started)
  if (pidfd === undefined) return
  using _ = closing(pidfd)
  await ended(pidfd)
}

/** The hooks that run in the container before its program: they join it while it waits. */
async function before(state: State, folder: string): Promise<void> {
  const hooks = state.hooks?.startContainer
  if (!hooks?.length) return
  const [{ insideOf, runHooksByTape }, { Ledger }] = await Promise.all([
    import('./hooks-by-tape.ts'),
    import('../container/ledger/ledger.ts'),
  ])
  const spec = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Config
  const plan = { id: state.id, spec, rootfs: '/', ledger: new Ledger(folder), diesWithUs: true }
  const start = insideOf(plan, state.pid)
  await runHooksByTape('startContainer', hooks, state, 'created', { start, folder })
}

async function after(state: State, warn: Call['warn']): Promise<void> {
  if (!state.hooks?.poststart?.length) return
  const { tryHooks } = await import('./hooks.ts')
  tryHooks('poststart', state.hooks, state, 'running', warn)
}
