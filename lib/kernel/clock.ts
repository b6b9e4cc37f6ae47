import { ENTRY } from './launchpad.ts'
import { entry } from './launchpad-code.ts'

const ticks = entry(ENTRY.ticks, 'int64_t ticks()') as () => bigint | number

const read = () => ({ ns: process.hrtime.bigint(), ticks: BigInt(ticks()) })
const begin = read()

/**
 * How long a tick of the time stamp counter is, in nanoseconds: the counter beside CLOCK_MONOTONIC, over all the
 * time since this module was loaded. The longer that is, the more exact.
 */
export function nsPerTick(): number {
  const end = read()
  return Number(end.ns - begin.ns) / Math.max(1, Number(end.ticks - begin.ticks))
}
