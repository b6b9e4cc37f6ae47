import { CLOSE_RANGE_CLOEXEC } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'

/** All descriptors but the standard three. */
const [FIRST, LAST] = [3, 0xffffffff]

/**
 * Marks all descriptors that we have inherited close-on-exec: none is a container's, nor its keeper's. Node does so itself, but
 * only up to the first gap in their numbers.
 */
export function keepInherited(): void {
  now.close_range(FIRST, LAST, CLOSE_RANGE_CLOEXEC)
}
