import { MODES } from '../../chapters/6-network/experiments.ts'
import { modes } from '../../chapters/6-network/link-checks.ts'
import type { Wiring } from '../../chapters/6-network/wiring.ts'
import type { Part } from '../../lib/container/part.ts'
import type { Box } from '../../lib/guide/box.ts'
import { refusalOf } from '../../lib/guide/refusal.ts'
import type { Stage } from '../../lib/guide/step.ts'
import { openRtnetlinkIn } from '../../lib/kernel/netlink/rtnetlink.ts'
import { startOver } from '../../lib/labs/host-calls.ts'
import { otherEth0 } from './asked.ts'
import { closed, type Left, NOTHING_LEFT } from './closed.ts'

/** This comes first, so that a mistake with the cable does not hide it. */
export function withoutCable(part: Part, left: Left): Stage<Wiring> {
  let [open, openAfterThrow] = [NOTHING_LEFT, NOTHING_LEFT]
  return {
    title: 'A container without a cable',
    async act(experiment) {
      otherEth0(experiment)
      const box = await experiment.another('a container in mode none', { change: MODES.none })
      experiment.scene.modes.none = box.pid
      open = { ...left }
      await withoutLoopback(box, part)
      openAfterThrow = { ...left }
      startOver()
    },
    checks: [
      ...modes.filter(({ id }) => id === 'mode-none'),
      closed(
        'closed',
        'the part closes what it has opened',
        () => open,
        '`close` is never called, or not before the return in mode none.',
      ),
      closed(
        'closed-where-it-throws',
        'it does so even if `lo` cannot be set up',
        () => openAfterThrow,
        '`close` is not called if something before it throws: it belongs in `finally`.',
      ),
    ],
  }
}

/** Calls the part again for a container whose loopback interface has another name, so that the kernel refuses to set `lo` up. */
async function withoutLoopback({ container, pid }: Box, part: Part): Promise<void> {
  using inside = await openRtnetlinkIn(pid)
  const wasUp = inside.link('lo').up
  inside.setDown('lo')
  inside.rename('lo', 'lo-away')
  try {
    await part.attach?.(container, pid)
  } catch (error) {
    if (!refusalOf(error)) throw error // the only question is whether it has closed everything
  }
  inside.rename('lo-away', 'lo')
  if (wasUp) inside.setUp('lo')
}
