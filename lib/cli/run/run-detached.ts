import { writeSync } from 'node:fs'
import { closing } from '../../common/descriptor.ts'
import { startDetached } from '../../container/run/detached.ts'
import type { RunRequest } from '../../container/run/plan.ts'
import { type Handed, RUN } from './handed.ts'
import { EXIT } from '../exit.ts'
import { printId } from './print-id.ts'

/** `run -d`: starts a container that goes on without us, and prints its id, or tells it to a `keeper`. Resolves to the exit status. */
export async function runDetached(
  request: RunRequest,
  { notify, home }: Handed,
  mine: boolean,
): Promise<number> {
  if (mine) console.log = console.error // what the learner's code prints: stdout is for the id
  const start = (parts?: Parameters<typeof startDetached>[2]) =>
    startDetached(request, ended => RUN.tell({ listeningSockets: [], ended }), parts, home)
  const id = await (mine ? (await import('./run-mine.ts')).withOwnParts(start) : start())
  if (notify === undefined) return printId(id)
  using _ = closing(notify)
  writeSync(notify, id)
  return EXIT.ok
}
