import { CLOSE_RANGE_CLOEXEC } from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'

/** All descriptors but the standard three. */
const [FIRST, LAST] = [3, 0xffffffff]

/**
 * Marks all descriptors that we have inherited close-on-exec: a container or its keeper needs none of them. Node does this itself, but
 * only up to the first gap in their numbers.
 */
export function keepInherited(): void {
  now.close_range(FIRST, LAST, CLOSE_RANGE_CLOEXEC)
}
