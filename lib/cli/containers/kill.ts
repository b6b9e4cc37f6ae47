import { constants } from 'node:os'
import { refuseElsewhere } from '../../container/state/elsewhere.ts'
import { findState, running } from '../../container/state/state.ts'
import type { State } from '../../container/state/state-shape.ts'
import { cgroupOf, thawTree } from '../../kernel/cgroup/cgroup.ts'
import { closing } from '../../common/descriptor.ts'
import { MinilabError } from '../../common/errors.ts'
import { unlessGone } from '../../kernel/process/procfs.ts'
import { send } from '../../kernel/process/signal.ts'
import { hint } from '../../common/suggest.ts'
import { each } from './each.ts'

/** `minilab kill`: SIGKILL, or another by name or number. Resolves to the exit status. */
export async function kill(containers: string[], signal: string): Promise<number> {
  const number = signalNumber(signal)
  return each(containers, word => {
    const state = findState(word)
    const pidfd = running(state)
    if (pidfd === undefined) {
      refuseElsewhere(state)
      throw new MinilabError('usage', `${state.name} is not running`, 'minilab ps lists those that are')
    }
    using _ = closing(pidfd)
    send(pidfd, number)
    if (number === constants.signals.SIGKILL) thawOwn(state)
    console.log(state.name)
  })
}

function signalNumber(name: string): number {
  if (/^\d+$/.test(name) && Number(name) >= 1 && Number(name) <= 64) return Number(name)
  // signal(7), as kill -l lists them: glibc keeps 32 and 33 for itself
  const [, from, distance = '0'] = /^(?:SIG)?RT(MIN|MAX)([+-]\d{1,2})?$/i.exec(name) ?? []
  const realTime = from && (from.toUpperCase() === 'MIN' ? 34 : 64) + Number(distance)
  if (realTime && realTime >= 34 && realTime <= 64) return realTime
  const full = name.toUpperCase().startsWith('SIG') ? name.toUpperCase() : `SIG${name.toUpperCase()}`
  const number = constants.signals[full as NodeJS.Signals]
  if (number !== undefined) return number
  throw new MinilabError(
    'usage',
    `there is no signal "${name}"`,
    hint(full, Object.keys(constants.signals), 'kill -l lists them'),
  )
}

/** On cgroup v1 a frozen process does not die. A container without its own cgroup is in ours. */
export function thawOwn({ id, pid }: State): void {
  const folders = unlessGone(() => cgroupOf(pid).folders) ?? []
  for (const { path } of folders) if (path.includes(id)) unlessGone(() => thawTree(path))
}
