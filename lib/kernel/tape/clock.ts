import { ENTRY } from './launchpad.ts'
import { entry } from './launchpad-code.ts'

const ticks = entry(ENTRY.ticks, 'int64_t ticks()') as () => bigint | number

/** Both clocks at one moment: of several readings the fastest, so that nothing happened in between. */
function read(): { ns: bigint; ticks: bigint } {
  const readings = Array.from({ length: 5 }, () => {
    const before = process.hrtime.bigint()
    const now = BigInt(ticks())
    const took = process.hrtime.bigint() - before
    return { ns: before + took / 2n, ticks: now, took }
  })
  return readings.reduce((best, reading) => (reading.took < best.took ? reading : best))
}

const begin = read()

/** Nanoseconds on our clock: CLOCK_MONOTONIC, since this module was loaded. */
export function clock(): number {
  return Number(process.hrtime.bigint() - begin.ns)
}

/** The time on our clock for a time stamp of the launchpad. */
export function clockAt(stamp: bigint): number {
  return Math.round(Number(stamp - begin.ticks) * nsPerTick())
}

/**
 * The length of a tick of the time stamp counter, in nanoseconds: the counter compared with CLOCK_MONOTONIC over all the
 * time since this module was loaded. The longer that is, the more exact is the result.
 */
export function nsPerTick(): number {
  const end = read()
  return Number(end.ns - begin.ns) / Math.max(1, Number(end.ticks - begin.ticks))
}
