import type { Part } from '../container/part.ts'
import { clock } from '../kernel/tape/clock.ts'
import type { Replayed } from '../kernel/tape/tape.ts'

/** A child of a step, and the system calls that it made. */
export interface Launch {
  purpose: string
  /** the clone3 that made it, where it became a container */
  clone?: Replayed | undefined
  tape: readonly Replayed[]
}

/** What we did on the host for a part of a container: before the clone3, or while the child waited at its gate. */
export interface HostWork {
  part: string
  hook: 'prepare' | 'attach'
  /** when it began, in nanoseconds on our clock: lib/kernel/tape/clock.ts */
  at: number
  ns: number
}

/** What a step did, and when. */
export interface Timeline {
  step: { number: number; name: string; teaches: readonly string[] }
  /** the step's own container; absent where another runtime made it, or nobody */
  own: Launch | undefined
  /** its other children */
  launches: readonly Launch[]
  host: readonly HostWork[]
}

/** The same parts; what they do on the host is noted in `host`, with its time, also where it fails. */
export function timed(parts: readonly Part[], host: HostWork[]): Part[] {
  const note = async (part: string, hook: HostWork['hook'], act: () => void | Promise<void>) => {
    const at = clock()
    try {
      await act()
    } finally {
      host.push({ part, hook, at, ns: clock() - at })
    }
  }
  return parts.map(part => ({
    ...part,
    ...(part.prepare && { prepare: container => note(part.name, 'prepare', () => part.prepare!(container)) }),
    ...(part.attach && { attach: (...args) => note(part.name, 'attach', () => part.attach!(...args)) }),
  }))
}
