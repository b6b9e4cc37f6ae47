import { errnoName } from '../../common/errno.ts'
import { mountCauses } from '../mount/mount-causes.ts'
import { rootCauses } from '../mount/root-causes.ts'
import { processCauses } from '../process/process-causes.ts'
import { did, when } from './rule.ts'
import type { Diagnosis } from './syscall-error.ts'
import type { Op } from '../tape/tape.ts'

/**
 * Why the kernel refused a call, deduced from its arguments, from the calls before it on the same tape, and from the
 * state of the machine. Undefined if we would only be guessing.
 */
export function diagnose(
  call: string,
  args: readonly unknown[],
  errno: number,
  earlier: readonly Op[] = [],
): Diagnosis | undefined {
  const name = errnoName(errno)
  const rules = [rootCauses, mountCauses, processCauses].flatMap(table => table[`${call} ${name}`] ?? [])
  for (const rule of name === 'EPERM' ? [dropped, ...rules] : rules) {
    const found = rule(args, earlier)
    if (found) return found
  }
  return undefined
}

/** The child gave up the right to this call earlier on its tape. */
const dropped = when(
  (_, earlier) => did('capset', earlier) || did('seccomp', earlier),
  'an earlier capset or seccomp on the same tape took away the right to make this call',
  'make this call earlier: drop rights only when no later call needs them',
)
