import { writeSync } from 'node:fs'
import { MinilabError } from '../../common/errors.ts'
import type { Call } from '../commands.ts'
import { load, statusOf } from '../state.ts'
import { stats } from '../stats.ts'

export function run({ root, flags, args: [id = ''] }: Call): void {
  const state = load(root, id)
  if (!flags.has('stats'))
    throw new MinilabError(
      'usage',
      'events without --stats is not supported',
      'ask for --stats as often as you want them; the cgroup (/proc/PID/cgroup) tells of memory that ran out',
    )
  if (statusOf(root, state) === 'stopped')
    throw new MinilabError('usage', `container with id ${id} is not running`, 'state shows how it is')
  writeSync(1, `${JSON.stringify({ type: 'stats', id, data: stats(state) })}\n`)
}
