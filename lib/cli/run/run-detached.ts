import type { ListeningSocket } from '../../container/net/publish.ts'
import { startDetached } from '../../container/run/detached.ts'
import type { RunRequest } from '../../container/run/plan.ts'
import { RUN } from './handed.ts'
import { printId } from './print-id.ts'

/** `run -d`: starts a container that goes on without us, and prints its id. Resolves to the exit status. */
export async function runDetached(request: RunRequest, listeningSockets: ListeningSocket[]): Promise<number> {
  const startForwarder = async (address: string, pid: number) =>
    (await import('./forwarder.ts')).startForwarder(listeningSockets, { address, pid })
  const id = await startDetached(
    { ...request, ...(listeningSockets.length > 0 && { startForwarder }) },
    ended => RUN.tell({ listeningSockets: [], ended }),
  )
  return await printId(id)
}
