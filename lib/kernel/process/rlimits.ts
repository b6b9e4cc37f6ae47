import { MinilabError } from '../../common/errors.ts'
import { hint } from '../../common/suggest.ts'
import * as constants from '../syscalls/constants.ts'
import { now } from '../syscalls/now.ts'

/** The resources of getrlimit(2), by name. */
const NUMBERS = new Map(
  Object.entries(constants).flatMap(([name, value]): [string, number][] =>
    name.startsWith('RLIMIT_') && typeof value === 'number' ? [[name, value]] : [],
  ),
)

/** 7 for `RLIMIT_NOFILE`. Throws a usage error for a resource that Linux does not have. */
export function rlimitNumber(name: string): number {
  const number = NUMBERS.get(name)
  if (number !== undefined) return number
  throw new MinilabError(
    'usage',
    `Linux has no resource limit ${JSON.stringify(name)}`,
    hint(name, [...NUMBERS.keys()], 'man 2 getrlimit lists them'),
  )
}

/** No limit: getrlimit(2). */
export const RLIM_INFINITY = 2n ** 64n - 1n

/** A limit as the kernel takes it: JSON.parse and Number() round RLIM_INFINITY up to 2^64. */
export const limitWord = (limit: number): number | bigint => (limit >= 2 ** 64 ? RLIM_INFINITY : limit)

/** Our own hard limit of a resource. */
export function hardLimit(resource: number): number {
  const limit = new BigUint64Array(2) // struct rlimit: rlim_cur, rlim_max
  now.prlimit64(0, resource, null, new Uint8Array(limit.buffer))
  return Number(limit[1])
}
