import { dataFolder } from '../../image/data-folder.ts'
import { recover } from '../../container/ledger/ledger.ts'
import { Audience } from './audience.ts'
import { hear, type Teller } from './hear.ts'
import { ViewServer } from './server.ts'
import { Watch } from './watch.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Serves the live view until a signal comes, then removes everything; calls `ready` with the address to open. */
export async function view(port: number, ready: (url: string) => void): Promise<void> {
  const ended = new Promise<void>(resolve => SIGNALS.forEach(signal => process.once(signal, () => resolve())))
  await recover(dataFolder())
  const failure = Promise.withResolvers<never>()
  const audience = new Audience(watched => (watch.watched = watched))
  const watch = new Watch(seen => audience.show(seen), failure.reject)
  const open = new Set<Teller>()
  const deafen = await hear(dataFolder(), {
    event(teller, event) {
      if (event.kind === 'container') return watch.told(teller, event)
      if (event.kind === 'end') open.delete(teller)
      else open.add(teller)
      audience.tell({ teller, ...event })
      if (['step', 'stage', 'end'].includes(event.kind)) watch.turned()
    },
    gone(teller) {
      if (open.delete(teller)) audience.tell({ teller, kind: 'broken' })
    },
  })
  const server = new ViewServer(audience)
  try {
    ready(await server.listen(port))
    await Promise.race([ended, failure.promise])
  } finally {
    await server.close()
    await watch.end()
    await deafen()
  }
}
