import type { Wiring } from '../../chapters/6-network/wiring.ts'
import type { Part } from '../../lib/container/part.ts'
import { finding, seen } from '../../lib/guide/evidence.ts'
import type { Check } from '../../lib/guide/step.ts'
import { descriptors } from '../../lib/kernel/procfs.ts'

/** Sockets that we have open: each netlink connection is one. */
const sockets = () =>
  Object.entries(descriptors('self'))
    .filter(([, file]) => file.startsWith('socket:'))
    .map(([fd, file]) => `${fd} → ${file}`)

/** What the latest `attach` left open. */
export interface Left {
  open: string[]
}

/** The part; after its attach `left` says what it did not close. */
export const noting = (part: Part, left: Left): Part => ({
  ...part,
  async attach(container, pid) {
    const before = sockets()
    try {
      await part.attach?.(container, pid)
    } finally {
      left.open = sockets().filter(socket => !before.includes(socket))
    }
  },
})

/** Nothing is open any more; `look` tells what was, at the time that counts. */
export const closed = (
  id: string,
  claim: string,
  open: () => string[],
  likeliest: string,
): Check<Wiring> => ({
  id,
  claim,
  look: () =>
    finding(
      open().length === 0,
      seen('/proc/self/fd', open().join(', ') || 'no socket more than before', null),
      `Open after the end of attach: ${open().length} connections. Likeliest: ${likeliest}`,
    ),
})
