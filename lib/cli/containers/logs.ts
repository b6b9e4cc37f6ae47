import { existsSync, type FSWatcher, watch } from 'node:fs'
import { once } from 'node:events'
import { certain } from '../../common/certain.ts'
import { LogReader, type LogRecord, type StreamName, STREAMS } from '../../container/streams/log.ts'
import { findState } from '../../container/state/state.ts'
import type { State } from '../../container/state/state-shape.ts'
import { codeOf } from '../../common/error-code.ts'
import { MinilabError } from '../../common/errors.ts'
import { quote } from '../../kernel/syscalls/argument-kinds.ts'
import { bootId, isAlive } from '../../kernel/process/procfs.ts'
import { ended, findProcess } from '../../kernel/process/signal.ts'

export interface LogsFlags {
  follow?: boolean
  tail?: string
  since?: string
  timestamps?: boolean
  stream?: string
}

/** `minilab logs`: what the container wrote to its stdout and stderr, in order, as a terminal would show it. */
export async function logs(word: string, flags: LogsFlags): Promise<void> {
  const state = findState(word)
  const { log, name } = state
  if (!log)
    throw new MinilabError(
      'usage',
      `${name} wrote to its terminal`,
      'only containers started with -d have a log',
    )
  if (!existsSync(log))
    throw new MinilabError('usage', `the log of ${name} no longer exists`, `minilab rm ${name}`)
  const lines = flags.tail === undefined || flags.tail === 'all' ? undefined : count(flags.tail)
  const since = flags.since === undefined ? undefined : sinceTime(flags.since)
  const wanted = flags.stream === undefined ? STREAMS : [streamOf(flags.stream)]
  using reader = new LogReader(log, wanted)
  if (lines !== undefined) reader.skipToLast(lines)
  const print = async (last = false) => {
    for (const record of reader.records(last)) if (!since || record.time >= since) await put(record, flags)
  }
  if (flags.follow) await follow(state, log, print)
  const isOver = writer(state) === undefined
  await print(isOver)
  const lost = wanted.filter(stream => (isOver || hasLost(state, stream)) && !reader.ended.has(stream))
  if (lost.length > 0)
    process.stderr.write(
      `minilab: the log of ${name} has no end: what wrote its ${lost.join(' and ')} was killed, or had no space\n`,
    )
}

/** Whether the pump of a stream has ended. */
const hasLost = ({ pumps }: State, stream: StreamName) =>
  pumps !== undefined && !isAlive(pumps[stream].pid, pumps[stream].started)

/** The process that ends when the log is complete; undefined if it has ended. */
const writer = ({ keeper, boot }: State) =>
  boot === bootId() ? findProcess(keeper.pid, keeper.started) : undefined

/** Prints new output until the process that completes the log has ended. */
async function follow(state: State, log: string, print: () => Promise<void>): Promise<void> {
  const pidfd = writer(state)
  if (pidfd === undefined) return
  let over = false
  const changes = watched(log)
  void ended(pidfd).then(() => {
    over = true
    changes.emit('change')
  })
  try {
    while (!over) {
      const change = once(changes, 'change')
      await print() // first watch, then read: no output is missed in between
      await change
    }
  } finally {
    changes.close()
  }
}

/** Throws a MinilabError (machine) if the user may watch no more files: inotify_init(2). */
function watched(log: string): FSWatcher {
  try {
    return watch(log)
  } catch (error) {
    if (!['EMFILE', 'ENOSPC'].includes(codeOf(error) ?? '')) throw error
    throw new MinilabError(
      'machine',
      `no more files can be watched (inotify: ${codeOf(error)})`,
      'sudo sysctl fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=65536, or logs without -f',
    )
  }
}

/** Reads no more than is consumed: a log may be larger than our memory. */
async function put({ text, time, starts, ends }: LogRecord, flags: LogsFlags): Promise<void> {
  const { stdout } = process
  if (flags.timestamps && starts && time) stdout.write(`${time} `)
  await new Promise<void>((resolve, reject) =>
    stdout.write(text, error => {
      if (!error) resolve()
      else if (codeOf(error) !== 'EPIPE') reject(error) // if the reader has gone, unwritable.ts ends this process
    }),
  )
  if (ends) stdout.write('\n')
}

function streamOf(text: string): StreamName {
  const stream = STREAMS.find(name => name === text)
  if (stream) return stream
  throw new MinilabError('usage', `--stream ${quote(text)} is not a stream`, `write ${STREAMS.join(' or ')}`)
}

function count(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new MinilabError(
    'usage',
    `--tail ${quote(text)} is not a number of lines`,
    'write a number such as 10, or all',
  )
}

const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600 }

/** `10m` or `1h30m` ago, a time such as 2026-11-30T12:00:00Z, or seconds since 1970; as a string that can be compared. */
function sinceTime(text: string): string {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)([smh])/g)]
  const isDuration = parts.length > 0 && parts.map(([part]) => part).join('') === text
  const ago = parts.reduce(
    (sum, [, number = '', unit = '']) => sum + Number(number) * certain(SECONDS[unit]),
    0,
  )
  const time = isDuration
    ? Date.now() - ago * 1000
    : /^\d+(\.\d+)?$/.test(text)
      ? Number(text) * 1000
      : Date.parse(text)
  if (!Number.isNaN(new Date(time).getTime())) return new Date(time).toISOString().slice(0, -1) // the records have nanoseconds
  throw new MinilabError(
    'usage',
    `--since ${quote(text)} is not a time`,
    'write 10m, or 2026-11-30T12:00:00Z',
  )
}
