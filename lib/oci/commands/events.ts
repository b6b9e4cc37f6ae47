import { writeSync } from 'node:fs'
import { closing } from '../../common/descriptor.ts'
import { MinilabError } from '../../common/errors.ts'
import type { Call } from '../commands.ts'
import { load, type State, statusOf } from '../state.ts'
import { stats } from '../stats.ts'

export async function run({ root, flags, args: [id = ''] }: Call): Promise<void> {
  const interval = milliseconds(flags.value('interval') ?? '5s')
  const state = load(root, id)
  if (statusOf(root, state) === 'stopped')
    throw new MinilabError('usage', `container with id ${id} is not running`, 'state shows how it is')
  if (flags.has('stats')) say({ type: 'stats', id, data: stats(state) })
  else await watch(state, interval)
}

const say = (event: object) => void writeSync(1, `${JSON.stringify(event)}\n`)

/** Until the container ends: what it uses in each interval, and each time that the kernel kills in it because memory ran out. */
async function watch(state: State, interval: number): Promise<void> {
  const [{ findProcess }, { POLLIN, readyOf }, { OutOfMemory }] = await Promise.all([
    import('../../kernel/process/signal.ts'),
    import('../../kernel/process/poll.ts'),
    import('../out-of-memory.ts'),
  ])
  const pidfd = findProcess(state.pid, state.started)
  if (pidfd === undefined) return
  using _ = closing(pidfd)
  using memory = OutOfMemory.of(state)
  for (let next = performance.now() + interval; ;) {
    const left = Math.max(0, Math.ceil(next - performance.now()))
    const [ended, changed] = await readyOf([[pidfd, POLLIN], ...(memory ? [memory.wanted] : [])], left)
    if (changed && memory?.happened()) say({ type: 'oom', id: state.id })
    if (ended) return
    if (performance.now() < next) continue
    say({ type: 'stats', id: state.id, data: stats(state) })
    next += interval
  }
}

const UNITS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}

/** A duration as Go writes it: `5s`, `1m30s`, `500ms`. */
function milliseconds(text: string): number {
  const parts = [...text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)]
  const sum = parts.reduce((all, [, count, unit = '']) => all + Number(count) * (UNITS[unit] ?? 0), 0)
  if (parts.map(([part]) => part).join('') !== text || sum < 1)
    throw new MinilabError(
      'usage',
      `--interval ${JSON.stringify(text)} is no interval`,
      'as 5s, 1m30s or 500ms',
    )
  return sum
}
