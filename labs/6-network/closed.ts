import { learnersError } from '../../lib/labs/problem.ts'
import type { Wiring } from '../../chapters/6-network/wiring.ts'
import type { Part } from '../../lib/container/part.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { descriptors } from '../../lib/kernel/process/procfs.ts'
import { stillOpening } from '../../lib/labs/host-calls.ts'

/** Sockets that we have open: each netlink connection is one. */
const sockets = () =>
  Object.entries(descriptors('self'))
    .filter(([, file]) => file.startsWith('socket:'))
    .map(([fd, file]) => `${fd} → ${file}`)

/** What the last `attach` left open. */
export interface Left {
  open: string[]
  /** how many it had asked for and not waited for */
  promised: number
}
export const NOTHING_LEFT: Left = { open: [], promised: 0 }

/** The part; after its `attach`, `left` holds what was not closed. */
export const noting = (part: Part, left: Left): Part => ({
  ...part,
  async attach(container, pid) {
    const before = sockets()
    try {
      await part.attach?.(container, pid)
    } finally {
      const promised = stillOpening()
      left.open = sockets().filter(socket => !before.includes(socket))
      left.promised = promised.length
    }
    // what nothing waits for continues while the container is checked or removed
    if (left.promised > 0)
      throw learnersError({
        what: `\`attach\` has ended, and ${left.promised} of its connections were still being opened: nothing waits for the promise that openRtnetlinkIn gives`,
        remedy: 'await it in an async `attach`, or return the promise of everything that comes after it',
      })
  },
})

/** Checks that nothing is still open; `left` returns what was open at the time that counts. */
export const closed = (id: string, claim: string, left: () => Left, likeliest: string): Check<Wiring> => ({
  id,
  claim,
  look() {
    const { open, promised } = left()
    return finding(
      open.length + promised === 0,
      [
        seen('/proc/self/fd', open.join(', ') || 'no socket more than before', null),
        ...(promised ? [seen('openRtnetlinkIn', `promised and not yet there: ${promised}`, null)] : []),
      ],
      promised
        ? `At the end of attach ${promised} of its connections were still being opened: nothing waits for the promise that openRtnetlinkIn gives. Await it.`
        : `Open after the end of attach: ${open.length} connections. Likeliest: ${likeliest}`,
    )
  },
})
