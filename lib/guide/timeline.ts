import type { Part } from '../container/part.ts'
import { clock } from '../kernel/tape/clock.ts'
import type { Replayed } from '../kernel/tape/tape.ts'
import type { StepListener } from './events.ts'

/** A child of a step, and the system calls that it made. */
export interface Launch {
  purpose: string
  /** the clone3 that made it, if it became a container */
  clone?: Replayed | undefined
  tape: readonly Replayed[]
}

/** What we did on the host for a part of a container, before the clone3 or while the child waited at its gate. */
export interface HostWork {
  part: string
  hook: 'prepare' | 'attach'
  /** when it began, in nanoseconds of our clock: lib/kernel/tape/clock.ts */
  at: number
  ns: number
}

/** What a step did, and when. */
export interface Timeline {
  step: { number: number; name: string; teaches: readonly string[] }
  /** the step's own container; undefined if another runtime made it, or there is none */
  own: Launch | undefined
  /** its other children */
  launches: readonly Launch[]
  host: readonly HostWork[]
}

/** Records what a step does, and when; `timeline` is what it has recorded so far. */
export function noteTimeline(step: Timeline['step']): { hear: StepListener; timeline: Timeline } {
  const launches: Launch[] = []
  const host: HostWork[] = []
  const timeline: Timeline = { step, own: undefined, launches, host }
  const hear: StepListener = event => {
    if (event.kind === 'host') host.push(event.work)
    if (event.kind !== 'launch') return
    const { purpose, tape, clone, own } = event
    if (!own) launches.push({ purpose, tape, clone })
    else if (tape.length > 0) timeline.own = { purpose: "the step's own container", tape, clone }
  }
  return { hear, timeline }
}

/** The same parts; reports to `tell` what they do on the host and how long it takes, even if it fails. */
export function timed(parts: readonly Part[], tell: (work: HostWork) => void): Part[] {
  const note = async (part: string, hook: HostWork['hook'], act: () => void | Promise<void>) => {
    const at = clock()
    try {
      await act()
    } finally {
      tell({ part, hook, at, ns: clock() - at })
    }
  }
  return parts.map(part => {
    const { name, prepare, attach } = part
    return {
      ...part,
      ...(prepare && { prepare: container => note(name, 'prepare', () => prepare.call(part, container)) }),
      ...(attach && { attach: (...args) => note(name, 'attach', () => attach.call(part, ...args)) }),
    }
  })
}
