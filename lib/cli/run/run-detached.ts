import { startDetached } from '../../container/run/detached.ts'
import type { RunRequest } from '../../container/run/plan.ts'
import { RUN } from './handed.ts'
import { printId } from './print-id.ts'

/** `run -d`: starts a container that goes on without us, and prints its id. Resolves to the exit status. */
export async function runDetached(request: RunRequest): Promise<number> {
  return printId(await startDetached(request, ended => RUN.tell({ listeningSockets: [], ended })))
}
